// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.util.concurrent.CompletableFuture;

/**
 * A virtio device apart from how the guest reaches it. A transport negotiates on its behalf, makes
 * its queues, and switches it on and off.
 *
 * <p>The transport calls {@link #activate} and {@link #reset} one at a time, alternately, from vCPU
 * threads or whichever thread resets the machine, and holds no lock that the device could want.
 * Between the two the device moves its queues between threads as it likes.
 */
public interface VirtioDevice {
  /** The device type's number (virtio 1.3, section 5): 2 for block, 4 for entropy. */
  int deviceType();

  /**
   * The feature bits of its type that the device offers. Those of {@link VirtioFeatures} are the
   * transport's. Must not change while a driver has the device.
   */
  long features();

  /**
   * Whether the device can work with the driver's choice, a subset of what was offered that
   * contains VERSION_1. If not, FEATURES_OK stays clear and the driver has to choose again.
   */
  default boolean accepts(long features) {
    return true;
  }

  /** How many queues it has: 1..1024. */
  int queueCount();

  /** The most descriptors a queue may have, a power of two up to 32768; also the longest chain. */
  int maxQueueSize(int queue);

  /** What the driver reads as device-specific configuration. Always the same object. */
  VirtioConfigSpace configSpace();

  /**
   * The driver writes to the configuration space. Called on a vCPU thread, at any time. The device
   * takes over what is writable and valid by updating {@link #configSpace}, and ignores the rest.
   *
   * @param offset bytes, 0 to the size of the space, exclusive; the write may still reach past the
   *     end
   * @param size bytes: 1, 2, 4 or 8
   * @param value the value, zero-extended
   */
  default void writeConfig(int offset, int size, long value) {}

  /**
   * The driver is ready: the device starts working on its queues. Buffers may be available already
   * and their kick past, so every queue is looked at once without one.
   *
   * <p>Must not wait. If it throws, the device needs a reset.
   */
  void activate(VirtioActivation activation);

  /**
   * Ends the activation, if there is one. May be called in any state, also twice.
   *
   * <p>Must not wait. The device takes no more buffers at once.
   *
   * @return completed, on any thread, when the device touches neither guest memory nor rings nor
   *     interrupts of the ended activation any more, I/O in flight included; the driver sees the
   *     reset done only then. Completed exceptionally if that cannot be had.
   */
  CompletableFuture<Void> reset();
}
