// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

/** Told when the vCPUs of a machine have stopped, and when they are about to start. */
@FunctionalInterface
public interface VmStateNotifier {
  /**
   * Called as control work while no vCPU executes.
   *
   * @param running whether the vCPUs are about to start; if not, they have just stopped
   * @param state the state the machine has entered
   */
  void vmStateChanged(boolean running, RunState state);
}
