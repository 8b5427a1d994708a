// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

/** Told what happens to a machine beside its stopping and starting. Must not wait. */
public interface MachineListener {
  /** Somebody has pressed the power button. Any thread. */
  default void powerButtonPressed() {}

  /**
   * The machine has been reset; if it is to go on, that comes next. Control side.
   *
   * @param byGuest whether the guest wanted it
   */
  default void reset(boolean byGuest) {}

  /** The machine has come to its end, and whoever waits for it is about to hear. Control side. */
  default void ended(Machine.Ending how) {}
}
