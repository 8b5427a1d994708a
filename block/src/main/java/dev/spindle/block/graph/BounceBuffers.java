// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory in which a lane keeps data on its way: aligned to a page, and used again. Keeps a few
 * megabytes at most; what is larger goes to the garbage collector. Owner thread of one context.
 */
public final class BounceBuffers {
  private static final int ALIGNMENT = 4096;
  private static final int CLASSES = 9;
  private static final int KEPT = 4;

  /** By the logarithm of the number of pages. */
  private final List<List<Buffer>> free = new ArrayList<>();

  /** Makes a pool that holds nothing yet. */
  public BounceBuffers() {
    for (int i = 0; i < CLASSES; i++) {
      free.add(new ArrayList<>(KEPT));
    }
  }

  /** Memory of at least the size asked for; its contents are anything. */
  public final class Buffer implements AutoCloseable {
    private final MemorySegment all;
    private final IoVector vector = new IoVector(1);
    private MemorySegment memory;

    private Buffer(MemorySegment all) {
      this.all = all;
    }

    private Buffer use(long bytes) {
      memory = all.asSlice(0, bytes);
      vector.clear();
      vector.add(memory, 0, bytes);
      return this;
    }

    /** As many bytes as were asked for. */
    public MemorySegment memory() {
      return memory;
    }

    /** The same as a list of one range, for others to add from. */
    public IoVector vector() {
      return vector;
    }

    /** Gives it back; nothing is on its way to it or from it. */
    @Override
    public void close() {
      int sizeClass = sizeClass(all.byteSize());
      if (sizeClass < CLASSES && free.get(sizeClass).size() < KEPT) {
        free.get(sizeClass).add(this);
      }
    }
  }

  /**
   * Takes a buffer.
   *
   * @throws OutOfMemoryError if there is no memory
   */
  public Buffer take(long bytes) {
    int sizeClass = sizeClass(bytes);
    if (sizeClass >= CLASSES) {
      return new Buffer(Arena.ofAuto().allocate(bytes, ALIGNMENT)).use(bytes);
    }
    List<Buffer> kept = free.get(sizeClass);
    Buffer buffer =
        kept.isEmpty()
            ? new Buffer(Arena.ofAuto().allocate((long) ALIGNMENT << sizeClass, ALIGNMENT))
            : kept.removeLast();
    return buffer.use(bytes);
  }

  private static int sizeClass(long bytes) {
    long pages = Math.max(1, (bytes + ALIGNMENT - 1) / ALIGNMENT);
    return Long.SIZE - Long.numberOfLeadingZeros(pages - 1);
  }
}
