// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Finds out whether data are zeroes. Any thread; allocates nothing. */
final class ZeroBytes {
  private static final MemorySegment ZEROES = Arena.global().allocate(4096);

  private ZeroBytes() {}

  /** Whether all that buffers hold is zero. */
  static boolean areAll(IoVector data) {
    for (int i = 0; i < data.count(); i++) {
      if (!areAll(data.base(i), data.offset(i), data.length(i))) {
        return false;
      }
    }
    return true;
  }

  private static boolean areAll(MemorySegment base, long offset, long length) {
    for (long done = 0; done < length; ) {
      long piece = Math.min(ZEROES.byteSize(), length - done);
      long from = offset + done;
      if (MemorySegment.mismatch(base, from, from + piece, ZEROES, 0, piece) >= 0) {
        return false;
      }
      done += piece;
    }
    return true;
  }
}
