// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/**
 * Where a driver has put a virtqueue (virtio 1.3, section 4.1.5.1.3).
 *
 * @param index the queue's index in its device
 * @param size descriptors; split: a power of two; at most 32768
 * @param maxChainLength the most descriptors a chain may have, indirect ones included; at least 1
 * @param descriptorArea guest address of the descriptor table or the packed ring
 * @param driverArea guest address of the available ring or the driver event suppression structure
 * @param deviceArea guest address of the used ring or the device event suppression structure
 */
public record VirtqueueConfig(
    int index,
    int size,
    int maxChainLength,
    long descriptorArea,
    long driverArea,
    long deviceArea) {
  /** The most descriptors any virtqueue can have. */
  public static final int MAX_SIZE = 32768;

  /** Refuses what no caller may ask for; what the guest got wrong is found by the queue itself. */
  public VirtqueueConfig {
    if (maxChainLength < 1) {
      throw new IllegalArgumentException("a chain of at most " + maxChainLength + " descriptors");
    }
  }
}
