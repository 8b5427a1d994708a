// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** What a virtual machine as a whole is doing; the names are QAPI's {@code RunState}. */
public enum RunState {
  /** Made, and never started since. */
  PRELAUNCH,
  /** The vCPUs execute instructions. */
  RUNNING,
  /** Stopped by whoever controls the machine. */
  PAUSED,
  /** Stopped because a device met an I/O error that it was told to stop for. */
  IO_ERROR,
  /** Stopped because KVM could not go on. */
  INTERNAL_ERROR,
  /** Stopped because the guest reported its own crash. */
  GUEST_PANICKED,
  /** Stopped because a watchdog expired. */
  WATCHDOG,
  /** Stopped because the guest switched itself off. */
  SHUTDOWN;

  /** Returns whether vCPUs execute in this state. */
  public boolean isRunning() {
    return this == RUNNING;
  }

  /** Returns the states that may follow this one, apart from itself. */
  public Set<RunState> successors() {
    return switch (this) {
      case PRELAUNCH -> EnumSet.of(RUNNING);
      case RUNNING ->
          EnumSet.of(
              PAUSED, IO_ERROR, INTERNAL_ERROR, GUEST_PANICKED, WATCHDOG, SHUTDOWN, PRELAUNCH);
      case PAUSED, IO_ERROR, GUEST_PANICKED, WATCHDOG -> EnumSet.of(RUNNING, PRELAUNCH);
      // A machine that KVM gave up on, or that is switched off, goes on only after a reset.
      case INTERNAL_ERROR, SHUTDOWN -> EnumSet.of(PAUSED, PRELAUNCH);
    };
  }

  /** Returns QAPI's spelling, such as {@code io-error}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
