// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A block of zeroes that everybody may write from, made when first needed. */
final class Zeroes {
  /** How often one request may name the block. */
  static final int MAX_RANGES = 16;

  private static final long BLOCK = 64 << 10;
  private static final MemorySegment ZEROES = Arena.global().allocate(BLOCK, 4096).asReadOnly();

  private Zeroes() {}

  /** Makes {@code vector} stand for up to {@code bytes} zeroes, as many as one request can hold. */
  static void fill(IoVector vector, long bytes) {
    vector.clear();
    long left = bytes;
    while (left > 0 && vector.count() < MAX_RANGES) {
      long part = Math.min(left, BLOCK);
      vector.add(ZEROES, 0, part);
      left -= part;
    }
  }
}
