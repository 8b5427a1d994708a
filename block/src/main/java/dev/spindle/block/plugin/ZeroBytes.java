// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Zeroes to write. */
final class ZeroBytes {
  /** The most there are at a time; a multiple of every block size. */
  static final int MOST = 64 << 10;

  private static final MemorySegment ZEROES = Arena.global().allocate(MOST, 4096).asReadOnly();

  private ZeroBytes() {}

  /** As many as are wanted, but at most {@link #MOST}. */
  static MemorySegment of(long wanted) {
    return ZEROES.asSlice(0, Math.min(wanted, MOST));
  }
}
