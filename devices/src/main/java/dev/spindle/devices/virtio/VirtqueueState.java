// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/**
 * Where the device stands in a virtqueue: all it needs to go on with one elsewhere, given the same
 * guest memory and no buffers in flight.
 *
 * @param availIndex split: the next entry of the available ring to look at, 0..65535; packed: the
 *     next slot to look at
 * @param availWrap packed: the driver ring's wrap counter; split: true
 * @param usedIndex split: the index last published in the used ring, 0..65535; packed: the next
 *     slot to write
 * @param usedWrap packed: the device ring's wrap counter; split: true
 */
public record VirtqueueState(int availIndex, boolean availWrap, int usedIndex, boolean usedWrap) {
  /** A queue as it is after activation: nothing looked at, nothing used. */
  public static final VirtqueueState START = new VirtqueueState(0, true, 0, true);
}
