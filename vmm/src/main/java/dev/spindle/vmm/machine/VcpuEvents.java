// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

/** What vCPU threads tell their machine. Called on those threads; must not wait. */
interface VcpuEvents {
  /** Returns whether the guest has asked for a reset or for power off and vCPUs should wait. */
  boolean isPowerRequested();

  /** The guest has brought itself to a state that only a reset ends (triple fault). */
  void resetRequested(String reason);

  /** The guest has switched itself off through KVM. */
  void shutdownRequested();

  /** The guest has reported its own crash. */
  void guestPanicked();

  /**
   * KVM cannot execute this guest any further.
   *
   * @param sentence what happened
   * @param registers the vCPU's registers, over several lines
   */
  void internalError(String sentence, String registers);
}
