// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * Memory, aligned to a page, in which data are in one piece while they are on their way. Used
 * again; a few megabytes are kept at most. Any thread.
 */
final class TransferBuffers {
  private static final int PAGE = 4096;
  private static final int CLASSES = 9;
  private static final int KEPT = 4;

  /** By the logarithm of the number of pages. */
  private final List<BlockingQueue<MemorySegment>> free = new ArrayList<>();

  TransferBuffers() {
    for (int i = 0; i < CLASSES; i++) {
      free.add(new ArrayBlockingQueue<>(KEPT));
    }
  }

  /**
   * Takes memory whose contents are anything.
   *
   * @param bytes how much is needed; there may be more of it
   * @throws OutOfMemoryError if there is none
   */
  MemorySegment take(long bytes) {
    int sizeClass = sizeClass(bytes);
    MemorySegment kept = sizeClass < CLASSES ? free.get(sizeClass).poll() : null;
    return kept != null ? kept : Arena.ofAuto().allocate((long) PAGE << sizeClass, PAGE);
  }

  /**
   * Gives back what was taken; nobody uses it any more.
   *
   * @return whether it is kept; otherwise the garbage collector has it
   */
  boolean giveBack(MemorySegment memory) {
    int sizeClass = sizeClass(memory.byteSize());
    return sizeClass < CLASSES && free.get(sizeClass).offer(memory);
  }

  private static int sizeClass(long bytes) {
    long pages = Math.max(1, (bytes + PAGE - 1) / PAGE);
    return Long.SIZE - Long.numberOfLeadingZeros(pages - 1);
  }
}
