// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Memory, aligned to a page, in which data are in one piece while they are on their way. Used
 * again; a few megabytes are kept at most, and the rest is freed at once: the garbage collector
 * does not see how large it is. Any thread.
 */
final class TransferBuffers {
  private static final int PAGE = 4096;
  private static final int CLASSES = 9;
  private static final long MOST_KEPT = 8 << 20;

  /** By the logarithm of the number of pages. */
  private final List<Queue<Buffer>> free = new ArrayList<>();

  private final AtomicLong keptBytes = new AtomicLong();

  TransferBuffers() {
    for (int i = 0; i < CLASSES; i++) {
      free.add(new ConcurrentLinkedQueue<>());
    }
  }

  /** Some of that memory. */
  final class Buffer implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final int sizeClass;

    private Buffer(int sizeClass) {
      this.sizeClass = sizeClass;
      this.memory = arena.allocate((long) PAGE << sizeClass, PAGE);
    }

    /** As much of it as was asked for, or less. */
    MemorySegment first(long bytes) {
      return memory.asSlice(0, bytes);
    }

    /** Gives it back; nobody uses it any more. */
    @Override
    public void close() {
      long size = memory.byteSize();
      if (sizeClass >= CLASSES) {
        arena.close();
      } else if (keptBytes.addAndGet(size) > MOST_KEPT) {
        keptBytes.addAndGet(-size);
        arena.close();
      } else {
        free.get(sizeClass).add(this);
      }
    }
  }

  /**
   * Takes memory whose contents are anything.
   *
   * @param bytes how much is needed
   * @throws OutOfMemoryError if there is none
   */
  Buffer take(long bytes) {
    int sizeClass = sizeClass(bytes);
    Buffer kept = sizeClass < CLASSES ? free.get(sizeClass).poll() : null;
    if (kept == null) {
      return new Buffer(sizeClass);
    }
    keptBytes.addAndGet(-kept.memory.byteSize());
    return kept;
  }

  /** Frees what is kept; nothing is in use. */
  void close() {
    free.forEach(buffers -> buffers.forEach(buffer -> buffer.arena.close()));
  }

  private static int sizeClass(long bytes) {
    long pages = Math.max(1, (bytes + PAGE - 1) / PAGE);
    return Long.SIZE - Long.numberOfLeadingZeros(pages - 1);
  }
}
