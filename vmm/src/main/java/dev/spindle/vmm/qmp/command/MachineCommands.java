// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.one;
import static dev.spindle.vmm.qmp.QmpCommand.query;

import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.RunState;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpCommand.None;
import dev.spindle.vmm.qmp.QmpCommand.Place;
import java.util.List;

/** The machine, and where its disks are served (QAPI: run-state.json, machine.json). */
public final class MachineCommands {
  /** What the machine does: QAPI's StatusInfo. */
  public record StatusInfo(boolean running, RunState status) {}

  /** Whether KVM is there and in use: QAPI's KvmInfo. */
  public record KvmInfo(boolean enabled, boolean present) {}

  /** What the user calls the machine: QAPI's NameInfo. */
  public record NameInfo(String name) {}

  private MachineCommands() {}

  /** The declarations. */
  public static List<QmpCommand<VirtualMachine, ?, ?>> all() {
    return List.of(
        query(
                "query-status",
                one(StatusInfo.class),
                "Tells what the machine does.",
                MachineCommands::status)
            .at(Place.ANYWHERE),
        query(
            "query-kvm",
            one(KvmInfo.class),
            "Tells that KVM is in use: there is no machine without it.",
            machine -> new KvmInfo(true, true)),
        query(
            "query-name",
            one(NameInfo.class),
            "Tells what the user calls the machine.",
            machine -> new NameInfo(machine.machine().config().name())),
        action(
            "stop",
            None.class,
            "Stops the guest; its disks stand still on return.",
            (machine, none) -> machine.machine().vmStop(RunState.PAUSED)),
        action(
            "cont",
            None.class,
            "Lets the guest go on.",
            (machine, none) -> machine.machine().vmStart()),
        QmpCommand.<VirtualMachine, None>action(
                "system_reset",
                None.class,
                "Starts the guest anew. Difference: returns when that is done.",
                (machine, none) -> reset(machine))
            .at(Place.MONITOR),
        action(
            "system_powerdown",
            None.class,
            "Presses the power button: a guest that listens shuts down.",
            (machine, none) -> machine.machine().pressPowerButton()));
  }

  private static StatusInfo status(VirtualMachine machine) {
    RunState state = machine.machine().state();
    return new StatusInfo(state.isRunning(), state);
  }

  private static void reset(VirtualMachine machine) {
    Machine target = machine.machine();
    machine.control("reset", target::reset).join();
  }
}
