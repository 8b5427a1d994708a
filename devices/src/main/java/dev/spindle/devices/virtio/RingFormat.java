// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The layout of virtqueues in guest memory (virtio 1.3, sections 2.7 and 2.8) and the handles to
 * read and write it with the ordering both sides rely on. Offsets and sizes are in bytes;
 * everything is little-endian.
 */
public final class RingFormat {
  /** Naturally aligned 16-bit words; coordinates are (MemorySegment, long offset). */
  public static final VarHandle SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /** Naturally aligned 32-bit words. */
  public static final VarHandle INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /** Naturally aligned 64-bit words. */
  public static final VarHandle LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /** 64-bit words of any alignment. */
  static final ValueLayout.OfLong UNALIGNED_LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** A descriptor of either format: address, length, then two 16-bit words. */
  public static final int DESCRIPTOR_SIZE = 16;

  /** The chain goes on (VIRTQ_DESC_F_NEXT). */
  public static final int NEXT = 1;

  /** The buffer is for the device to write (VIRTQ_DESC_F_WRITE). */
  public static final int WRITE = 2;

  /** The buffer is a table of descriptors (VIRTQ_DESC_F_INDIRECT). */
  public static final int INDIRECT = 4;

  /** Packed: the driver's wrap counter when it made the descriptor available. */
  public static final int PACKED_AVAIL = 1 << 7;

  /** Packed: the device's wrap counter when it used the descriptor. */
  public static final int PACKED_USED = 1 << 15;

  /** Split: offset of the index in the available and in the used ring; the flags come before it. */
  public static final long RING_INDEX = 2;

  /** Split: offset of the first entry in the available and in the used ring. */
  public static final long RING_ENTRIES = 4;

  /** Split: the flag by which either side says that it does not want to be notified. */
  public static final short NO_NOTIFICATIONS = 1;

  /** Packed: notify me of everything. */
  public static final int EVENTS_ENABLE = 0;

  /** Packed: notify me of nothing. */
  public static final int EVENTS_DISABLE = 1;

  /** Packed: notify me when the descriptor at the given place is passed. */
  public static final int EVENTS_AT_DESCRIPTOR = 2;

  /** Packed: size of an event suppression structure: place and wrap bit, then flags. */
  public static final int EVENT_SUPPRESSION_SIZE = 4;

  /** Split: size of the available ring, including the used_event field. */
  public static long availSize(int queueSize) {
    return 6 + 2L * queueSize;
  }

  /** Split: size of the used ring, including the avail_event field. */
  public static long usedSize(int queueSize) {
    return 6 + 8L * queueSize;
  }

  /** Split: offset of used_event in the available ring. */
  public static long usedEvent(int queueSize) {
    return RING_ENTRIES + 2L * queueSize;
  }

  /** Split: offset of avail_event in the used ring. */
  public static long availEvent(int queueSize) {
    return RING_ENTRIES + 8L * queueSize;
  }

  private RingFormat() {}
}
