// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

/** What a driver can do wrong with a virtqueue. Each breaks the queue until the device is reset. */
public enum VirtqueueFault {
  /** The queue size is 0, above 32768, above the device's maximum, or (split) no power of two. */
  BAD_QUEUE_SIZE,
  /** A ring area does not have the alignment its format asks for. */
  RING_MISALIGNED,
  /** A ring area does not lie wholly inside guest memory. */
  RING_OUT_OF_MEMORY,
  /** The available index is more than a queue size ahead. */
  AVAIL_INDEX_TOO_FAR,
  /** More buffers are outstanding than the queue has slots. */
  TOO_MANY_IN_FLIGHT,
  /** A buffer is made available again before the device has used it. */
  BUFFER_IN_FLIGHT,
  /** A head, next or indirect-next index lies outside its table. */
  INDEX_OUT_OF_RANGE,
  /** A chain comes back to itself. */
  DESCRIPTOR_LOOP,
  /** A chain has more descriptors than the device allows. */
  CHAIN_TOO_LONG,
  /** An indirect descriptor although the feature was not negotiated. */
  INDIRECT_NOT_NEGOTIATED,
  /** An indirect descriptor that also claims to have a successor. */
  INDIRECT_WITH_NEXT,
  /** An indirect descriptor inside an indirect table. */
  INDIRECT_IN_INDIRECT,
  /** An indirect table that is empty or no multiple of 16 bytes. */
  BAD_INDIRECT_TABLE,
  /** A descriptor of no bytes. */
  ZERO_LENGTH,
  /** A descriptor's address plus length exceeds 64 bits. */
  LENGTH_WRAPS,
  /** A buffer or table that does not lie wholly inside one region of guest memory. */
  ADDRESS_OUT_OF_MEMORY,
  /** A chain of more than 4 GiB in all. */
  TOTAL_TOO_LARGE,
  /** A device-readable descriptor after a device-writable one. */
  WRITABLE_BEFORE_READABLE
}
