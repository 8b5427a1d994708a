// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.memory;

import java.lang.foreign.MemorySegment;

/**
 * The memory of a guest as its devices reach it: pieces of one segment, each at a guest-physical
 * address of its own. Any thread; nothing here allocates or waits.
 */
public interface DeviceMemory {
  /** All of it, indexed by offset, not by guest-physical address; there may be gaps. */
  MemorySegment segment();

  /**
   * Where a guest-physical range lies in {@link #segment}.
   *
   * @param address guest-physical address; all 64-bit patterns are allowed
   * @param length bytes; negative values are refused like ranges out of memory
   * @return the offset, or -1 unless the whole range lies inside one piece
   */
  long offsetOf(long address, long length);
}
