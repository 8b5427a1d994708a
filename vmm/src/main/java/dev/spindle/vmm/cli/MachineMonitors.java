// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.vmm.machine.ObjectTree;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.CommandTable;
import dev.spindle.vmm.qmp.MonitorEvents;
import dev.spindle.vmm.qmp.MonitorOption;
import dev.spindle.vmm.qmp.Monitors;
import dev.spindle.vmm.qmp.VersionInfo;
import dev.spindle.vmm.qmp.command.BlockLayerCommands;
import dev.spindle.vmm.qmp.command.DeviceCommands;
import dev.spindle.vmm.qmp.command.DiskCommands;
import dev.spindle.vmm.qmp.command.HardwareCommands;
import dev.spindle.vmm.qmp.command.MachineCommands;
import dev.spindle.vmm.qmp.command.MachineEvents;
import dev.spindle.vmm.qmp.command.MonitorCommands;
import dev.spindle.vmm.qmp.command.QomCommands;
import dev.spindle.vmm.qmp.command.StatsCommands;
import dev.spindle.vmm.qmp.command.ThrottleCommands;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Where a machine is controlled from. */
final class MachineMonitors implements AutoCloseable {
  private final VirtualMachine machine;
  private final Monitors monitors;

  /**
   * Opens them.
   *
   * @throws IOException with a sentence for the user; none is open then
   */
  MachineMonitors(VirtualMachine machine, List<MonitorOption> wanted) throws IOException {
    this.machine = machine;
    MonitorEvents events = new MonitorEvents();
    CommandTable commands = new CommandTable();
    VersionInfo version = VersionInfo.of(Main.version());
    commands
        .add(MonitorCommands.all(), new MonitorCommands.Control(commands, version, machine::quit))
        .add(MachineCommands.all(), machine)
        .add(HardwareCommands.all(), machine)
        .add(DiskCommands.all(), machine)
        .add(StatsCommands.all(), machine)
        .add(ThrottleCommands.all(), machine)
        .add(DeviceCommands.all(), machine)
        .add(
            QomCommands.all(),
            new ObjectTree(machine.blockLayer().objects(), machine.peripherals()))
        .addEvents(MachineEvents.ALL);
    BlockLayerCommands.addTo(
        commands,
        machine.blockLayer(),
        device -> DiskCommands.find(machine, device).backend().node(),
        events);
    MachineEvents.tell(machine, events);
    monitors = new Monitors(machine.mainLoop(), commands, events, version);
    try {
      for (MonitorOption monitor : wanted) {
        monitors.open(monitor);
      }
    } catch (IOException | RuntimeException | Error e) {
      monitors.close();
      throw e;
    }
  }

  /**
   * Waits until those are there whom monitors wait for, or the machine has come to its end.
   *
   * @throws IOException if one of them will not come
   */
  void awaitClients() throws IOException {
    try {
      CompletableFuture.anyOf(monitors.ready(), machine.machine().ending()).join();
    } catch (CompletionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    }
  }

  @Override
  public void close() {
    monitors.close();
  }
}
