// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.devices.virtio.blk.VirtioBlkDevice;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.MachineListener;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.qmp.MonitorEvents;
import dev.spindle.vmm.qmp.QmpCommand.None;
import dev.spindle.vmm.qmp.QmpEvent;
import java.util.List;

/** Tells what happens to the machine (QAPI: run-state.json). */
public final class MachineEvents {
  /** Lower than all that has to stand still before it can be told. */
  private static final int LAST_TO_STOP = Integer.MIN_VALUE;

  /** Why a machine came to its end: QAPI's ShutdownCause, as far as there are reasons. */
  public enum ShutdownCause {
    HOST_ERROR,
    HOST_QMP_QUIT,
    HOST_QMP_SYSTEM_RESET,
    GUEST_SHUTDOWN,
    GUEST_RESET
  }

  /** A machine came to its end, by its guest's doing or not. */
  public record Shutdown(boolean guest, ShutdownCause reason) {
    static Shutdown of(Machine.Ending ending) {
      return switch (ending) {
        case POWER_OFF -> new Shutdown(true, ShutdownCause.GUEST_SHUTDOWN);
        case RESET_REFUSED -> new Shutdown(true, ShutdownCause.GUEST_RESET);
        case FAILURE -> new Shutdown(false, ShutdownCause.HOST_ERROR);
        case QUIT -> new Shutdown(false, ShutdownCause.HOST_QMP_QUIT);
      };
    }
  }

  /** A machine was reset, by its guest's doing or not. */
  public record Reset(boolean guest, ShutdownCause reason) {
    static Reset of(boolean byGuest) {
      return new Reset(
          byGuest, byGuest ? ShutdownCause.GUEST_RESET : ShutdownCause.HOST_QMP_SYSTEM_RESET);
    }
  }

  /** A request of a disk has failed. */
  public record IoError(
      String qomPath,
      String device,
      String nodeName,
      JobEvents.Operation operation,
      ErrorAction action,
      boolean nospace,
      String reason) {
    static IoError of(VirtioBlkDevice disk, boolean read, ErrorAction action, int errno) {
      return new IoError(
          DiskCommands.path(disk),
          "",
          disk.backend().node().name(),
          read ? JobEvents.Operation.READ : JobEvents.Operation.WRITE,
          action,
          errno == Errno.ENOSPC,
          Errno.message(errno));
    }
  }

  /** A device is gone. */
  public record Deleted(String device, String path) {}

  private static final QmpEvent<Deleted> DEVICE_DELETED =
      new QmpEvent<>(
          "DEVICE_DELETED",
          "A device is gone, and what it used is free: the guest has ejected it, or was reset when"
              + " it had been asked to.",
          Deleted.class);
  private static final QmpEvent<IoError> BLOCK_IO_ERROR =
      new QmpEvent<>(
          "BLOCK_IO_ERROR",
          "A request of a disk has failed. Those that do not stop the machine are told once a"
              + " second for each disk.",
          IoError.class);
  private static final QmpEvent<None> POWERDOWN =
      new QmpEvent<>("POWERDOWN", "The power button has been pressed.", None.class);
  private static final QmpEvent<Reset> RESET =
      new QmpEvent<>(
          "RESET",
          "The machine has been reset. Difference: a running machine's STOP comes before and RESUME"
              + " after it.",
          Reset.class);
  private static final QmpEvent<None> STOP =
      new QmpEvent<>("STOP", "The guest has been stopped; its disks stand still.", None.class);
  private static final QmpEvent<None> RESUME =
      new QmpEvent<>("RESUME", "The guest goes on.", None.class);
  private static final QmpEvent<Shutdown> SHUTDOWN =
      new QmpEvent<>(
          "SHUTDOWN",
          "The machine has come to its end. Difference: an end by signal is told as one by quit.",
          Shutdown.class);

  /** The declarations. */
  public static final List<QmpEvent<?>> ALL =
      List.of(STOP, RESUME, RESET, POWERDOWN, SHUTDOWN, DEVICE_DELETED, BLOCK_IO_ERROR);

  private MachineEvents() {}

  /** Tells these monitors from now on. */
  public static void tell(VirtualMachine machine, MonitorEvents monitors) {
    machine
        .peripherals()
        .onDeleted(id -> monitors.tell(DEVICE_DELETED, new Deleted(id, DeviceCommands.path(id))));
    machine
        .peripherals()
        .listen(
            (disk, operation, action, errno) ->
                monitors.tell(
                    BLOCK_IO_ERROR, IoError.of(disk, operation == Operation.READ, action, errno)));
    machine.control(
        "tell-run-state",
        () -> {
          machine.machine().listen(listener(monitors));
          return machine
              .machine()
              .addVmStateNotifier(
                  LAST_TO_STOP,
                  (running, state) -> monitors.tell(running ? RESUME : STOP, new None()));
        });
  }

  private static MachineListener listener(MonitorEvents monitors) {
    return new MachineListener() {
      @Override
      public void powerButtonPressed() {
        monitors.tell(POWERDOWN, new None());
      }

      @Override
      public void reset(boolean byGuest) {
        monitors.tell(RESET, Reset.of(byGuest));
      }

      @Override
      public void ended(Machine.Ending how) {
        monitors.tell(SHUTDOWN, Shutdown.of(how));
      }
    };
  }
}
