// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Tells memory that is all zeroes. */
final class Zeroes {
  private static final MemorySegment BLOCK = Arena.global().allocate(64 << 10, 64).asReadOnly();

  private Zeroes() {}

  /** Whether all of it is zero. */
  static boolean isZero(MemorySegment memory) {
    return runLength(memory, 0, memory.byteSize(), memory.byteSize(), true) == memory.byteSize();
  }

  /**
   * How many bytes from an offset on are alike, in steps: zero, or not.
   *
   * @param step bytes that count as one
   * @param zero which of both
   */
  static long runLength(MemorySegment memory, long offset, long end, long step, boolean zero) {
    long position = offset;
    while (position < end) {
      long length = Math.min(step, end - position);
      if (isZero(memory, position, length) != zero) {
        break;
      }
      position += length;
    }
    return position - offset;
  }

  static boolean isZero(MemorySegment memory, long offset, long length) {
    long position = offset;
    long end = offset + length;
    while (position < end) {
      long part = Math.min(BLOCK.byteSize(), end - position);
      if (MemorySegment.mismatch(memory, position, position + part, BLOCK, 0, part) >= 0) {
        return false;
      }
      position += part;
    }
    return true;
  }
}
