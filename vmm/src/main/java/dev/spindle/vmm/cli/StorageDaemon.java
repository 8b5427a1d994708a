// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.export.BlockExports;
import dev.spindle.block.export.nbd.NbdServer;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.machine.BlockLayer;
import dev.spindle.vmm.machine.Closer;
import dev.spindle.vmm.machine.GivenObject;
import dev.spindle.vmm.machine.ObjectTree;
import dev.spindle.vmm.qmp.CommandTable;
import dev.spindle.vmm.qmp.MonitorEvents;
import dev.spindle.vmm.qmp.MonitorOption;
import dev.spindle.vmm.qmp.Monitors;
import dev.spindle.vmm.qmp.VersionInfo;
import dev.spindle.vmm.qmp.command.BlockLayerCommands;
import dev.spindle.vmm.qmp.command.MonitorCommands;
import dev.spindle.vmm.qmp.command.QomCommands;
import dev.spindle.vmm.qmp.command.ResizeCommands;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** Block nodes and their exports, without a machine. */
final class StorageDaemon implements AutoCloseable {
  private final Closer closer = new Closer();
  private final BlockLayer blockLayer;
  private final BlockExports exports;
  private final Consumer<String> step;
  private Monitors monitors;
  private List<String> unflushed = List.of();

  /**
   * Opens everything. If anything is wrong, nothing remains.
   *
   * @param step is told what comes next that may take long, here and in {@link #close}: {@code
   *     opening node 'disk'}
   * @param quit has the program end soon; does not wait
   * @throws IOException with a sentence for the user
   * @throws OptionException with a sentence for the user
   */
  StorageDaemon(StorageDaemonOptions options, Consumer<String> step, Runnable quit)
      throws IOException, OptionException {
    this.step = step;
    try {
      ObjectOptions objects = options.objects();
      blockLayer =
          closer.add(
              new BlockLayer(
                  objects.ioThreads(),
                  objects.throttleGroups(),
                  objects.others(),
                  options.nodes(),
                  step));
      exports = blockLayer.exports();
      closer.add(this::closeExports);
      if (options.nbdServer().isPresent()) {
        Options server = options.nbdServer().get();
        step.accept("opening the NBD server");
        open("start-nbd-server", server, () -> NbdServer.open(exports, server));
      }
      for (Options export : options.exports()) {
        step.accept("opening export '%s'".formatted(export.peek("id").orElse("")));
        open("open-export", export, () -> exports.open(export));
      }
      openMonitors(options.monitors(), quit);
    } catch (IOException | OptionException | RuntimeException e) {
      closer.close();
      throw e;
    }
  }

  private void open(String name, Options described, GivenObject.Opening opening)
      throws IOException, OptionException {
    GivenObject.open(blockLayer.mainLoop(), name, described, opening);
  }

  private void openMonitors(List<MonitorOption> wanted, Runnable quit) throws IOException {
    MonitorEvents events = new MonitorEvents();
    CommandTable commands = new CommandTable();
    VersionInfo version = VersionInfo.of(Main.version());
    commands
        .add(MonitorCommands.all(), new MonitorCommands.Control(commands, version, quit))
        .add(QomCommands.all(), new ObjectTree(blockLayer.objects(), ObjectTree.Devices.NONE));
    BlockLayerCommands.addTo(commands, blockLayer, ResizeCommands.Disks.NONE, events);
    monitors = closer.add(new Monitors(blockLayer.mainLoop(), commands, events, version));
    for (MonitorOption monitor : wanted) {
      step.accept("opening a monitor");
      monitors.open(monitor);
    }
  }

  /** Completes when the clients are there whom monitors wait for. */
  CompletableFuture<Void> ready() {
    return monitors.ready();
  }

  private void closeExports() {
    step.accept("closing the exports");
    try {
      exports.closeAll(step);
    } finally {
      unflushed = blockLayer.mainLoop().control("unflushed", exports::unflushed);
    }
  }

  /**
   * Ends the exports, makes what was written durable, closes the nodes and ends the loops.
   *
   * @throws IOException if something that clients wrote could not be made durable
   */
  @Override
  public void close() throws IOException {
    step.accept("closing the monitors");
    closer.close();
    if (!unflushed.isEmpty()) {
      throw new IOException(String.join("; ", unflushed));
    }
  }
}
