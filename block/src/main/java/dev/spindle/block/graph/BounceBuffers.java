// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Memory in which a lane keeps data on its way: aligned to a page, and used again. Keeps a few
 * megabytes at most, which go with the lane; the rest is freed at once, for the garbage collector
 * does not see how large it is. Owner thread of one context.
 */
public final class BounceBuffers {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final int ALIGNMENT = 4096;
  private static final int CLASSES = 9;
  private static final long MOST_KEPT = 8 << 20;

  private final Kept kept = new Kept();

  /** Makes a pool that holds nothing yet. */
  public BounceBuffers() {
    CLEANER.register(this, kept);
  }

  /** What is free. Freed when nobody can ask for it any more. */
  private static final class Kept implements Runnable {
    /** By the logarithm of the number of pages. */
    private final List<Deque<Buffer>> free = new ArrayList<>();

    private long bytes;

    Kept() {
      for (int i = 0; i < CLASSES; i++) {
        free.add(new ArrayDeque<>());
      }
    }

    Buffer take(int sizeClass) {
      Buffer buffer = free.get(sizeClass).poll();
      if (buffer != null) {
        bytes -= buffer.all.byteSize();
      }
      return buffer;
    }

    boolean keep(Buffer buffer) {
      long size = buffer.all.byteSize();
      int sizeClass = sizeClass(size);
      if (sizeClass >= CLASSES || bytes + size > MOST_KEPT) {
        return false;
      }
      bytes += size;
      free.get(sizeClass).push(buffer);
      return true;
    }

    @Override
    public void run() {
      free.forEach(buffers -> buffers.forEach(buffer -> buffer.arena.close()));
    }
  }

  /** Memory of at least the size asked for; its contents are anything. */
  public static final class Buffer implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Kept kept;
    private final MemorySegment all;
    private final IoVector vector = new IoVector(1);
    private MemorySegment memory;

    private Buffer(Kept kept, long bytes) {
      this.kept = kept;
      this.all = arena.allocate(bytes, ALIGNMENT);
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
      if (!kept.keep(this)) {
        arena.close();
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
      return new Buffer(kept, bytes).use(bytes);
    }
    Buffer buffer = kept.take(sizeClass);
    // What was kept may be freed from here on.
    Reference.reachabilityFence(this);
    return (buffer == null ? new Buffer(kept, (long) ALIGNMENT << sizeClass) : buffer).use(bytes);
  }

  private static int sizeClass(long bytes) {
    long pages = Math.max(1, (bytes + ALIGNMENT - 1) / ALIGNMENT);
    return Long.SIZE - Long.numberOfLeadingZeros(pages - 1);
  }
}
