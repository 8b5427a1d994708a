// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import dev.spindle.devices.memory.GuestMemory;

/**
 * Hands out a range of guest memory piece by piece, for rings and buffers. Nothing is given back.
 */
public final class GuestArea {
  private final GuestMemory memory;
  private final long end;
  private long next;

  /**
   * Takes over a range of memory.
   *
   * @param address its first guest-physical address
   * @param size bytes, all of them in one region
   */
  public GuestArea(GuestMemory memory, long address, long size) {
    if (!memory.contains(address, size)) {
      throw new IllegalArgumentException(
          size + " bytes at guest address 0x" + Long.toHexString(address) + " are not RAM");
    }
    this.memory = memory;
    this.next = address;
    this.end = address + size;
  }

  /** The memory that the range is part of. */
  public GuestMemory memory() {
    return memory;
  }

  /**
   * Hands out the next piece, filled with zeroes.
   *
   * @param size bytes
   * @param alignment a power of two
   * @return its guest-physical address
   * @throws IllegalStateException if the range is used up
   */
  public long allocate(long size, int alignment) {
    long address = (next + alignment - 1) & -alignment;
    if (size < 0 || size > end - address) {
      throw new IllegalStateException("no room for " + size + " bytes in this area");
    }
    next = address + size;
    // A ring that an earlier driver left here would have buffers available before any are given.
    memory.slice(address, size).fill((byte) 0);
    return address;
  }
}
