// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.memory.GuestMemory;

/** A virtqueue whose every byte a test writes itself, as a driver that keeps to no rule would. */
final class HandMadeRing {
  static final int AVAIL = 1 << 7;
  static final int USED = 1 << 15;

  private static final long DESCRIPTORS = 0x1000;
  private static final long DRIVER_AREA = 0x3000;
  private static final long DEVICE_AREA = 0x4000;

  /** End of the memory that starts zeroed: rings, and what tests use for buffers and tables. */
  private static final long END = 0x40000;

  final GuestMemory memory;
  final boolean packed;
  final int size;
  final Virtqueue queue;
  private int offered;

  HandMadeRing(GuestMemory memory, long features, int size, int maxChainLength)
      throws VirtqueueException {
    this.memory = memory;
    this.packed = (features & VirtioFeatures.RING_PACKED) != 0;
    this.size = size;
    memory.slice(DESCRIPTORS, END - DESCRIPTORS).fill((byte) 0);
    this.queue =
        Virtqueue.create(
            memory,
            new VirtqueueConfig(3, size, maxChainLength, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA),
            features);
  }

  /**
   * Writes a descriptor of the ring. Split: {@code link} is next. Packed: it is the buffer id, and
   * the descriptor is available to a device in its first lap.
   */
  HandMadeRing descriptor(int slot, long address, long length, int flags, int link) {
    return entry(DESCRIPTORS, slot, address, length, packed ? flags | AVAIL : flags, link);
  }

  /** Writes an entry of an indirect table. */
  HandMadeRing entry(long table, int index, long address, long length, int flags, int link) {
    long place = table + 16L * index;
    memory.writeLong(place, address);
    memory.writeInt(place + 8, (int) length);
    memory.writeShort(place + 12, packed ? link : flags);
    memory.writeShort(place + 14, packed ? flags : link);
    return this;
  }

  /** Split: puts a head into the available ring. Packed: descriptors are available as written. */
  HandMadeRing offer(int head) {
    if (!packed) {
      memory.writeShort(DRIVER_AREA + 4 + 2L * (offered % size), head);
      offered++;
      availIndex(offered);
    }
    return this;
  }

  /** Split: sets the available index. */
  HandMadeRing availIndex(int index) {
    memory.writeShort(DRIVER_AREA + 2, index);
    return this;
  }
}
