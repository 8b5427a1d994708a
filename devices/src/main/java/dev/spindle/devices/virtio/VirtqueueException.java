// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/**
 * The driver has handed over something a virtqueue must not contain. The queue is broken until the
 * device is reset; the device reports {@link VirtioActivation#needsReset} and goes on living.
 *
 * <p>Carries no stack trace: a hostile guest decides how often it is thrown.
 */
public final class VirtqueueException extends Exception {
  private static final long serialVersionUID = 1L;

  private final VirtqueueFault fault;

  /**
   * Describes what is wrong.
   *
   * @param queue the queue's index in its device
   * @param detail a clause that says what was found, as in {@code descriptor 3 has no length}
   */
  VirtqueueException(int queue, VirtqueueFault fault, String detail) {
    super("queue " + queue + ": " + detail, null, false, false);
    this.fault = fault;
  }

  /** What is wrong. */
  public VirtqueueFault fault() {
    return fault;
  }
}
