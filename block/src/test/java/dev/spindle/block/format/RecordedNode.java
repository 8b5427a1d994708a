// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.MemoryNode;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** A file in memory that remembers what reached it, in order, to make up what a crash leaves. */
final class RecordedNode extends MemoryNode {
  private static final int SECTOR = 512;

  /** Something that reached it. */
  private sealed interface Step {}

  private record Write(int offset, byte[] bytes) implements Step {}

  private record Resize(int length) implements Step {}

  private record Flush() implements Step {}

  private final byte[] start;
  private final List<Step> steps = new ArrayList<>();

  /** Guarded by this, as are the steps. */
  private byte[] contents;

  RecordedNode(String name, AioContext home, byte[] contents) {
    super(name, "recorded", home);
    this.start = contents;
    this.contents = contents.clone();
  }

  synchronized int steps() {
    return steps.size();
  }

  /**
   * The file after a crash.
   *
   * @param count steps that had been taken
   * @param random chooses what is left of those since the last flush; null for all of them
   */
  synchronized byte[] after(int count, Random random) {
    int flushed = 0;
    for (int i = 0; i < count; i++) {
      flushed = steps.get(i) instanceof Flush ? i : flushed;
    }
    byte[] left = start.clone();
    for (int i = 0; i < count; i++) {
      boolean all = random == null || i < flushed;
      switch (steps.get(i)) {
        case Flush flush -> {}
        case Resize resize -> {
          if (all || random.nextBoolean()) {
            left = Arrays.copyOf(left, resize.length());
          }
        }
        case Write write -> {
          for (int at = 0; at < write.bytes().length; at += SECTOR) {
            if (all || random.nextBoolean()) {
              int length = Math.min(SECTOR, write.bytes().length - at);
              int end = write.offset() + at + length;
              left = end > left.length ? Arrays.copyOf(left, end) : left;
              System.arraycopy(write.bytes(), at, left, write.offset() + at, length);
            }
          }
        }
      }
    }
    return Arrays.copyOf(left, (left.length + SECTOR - 1) & -SECTOR);
  }

  @Override
  public synchronized void resize(long length) {
    steps.add(new Resize(Math.toIntExact(length)));
    contents = Arrays.copyOf(contents, Math.toIntExact(length));
  }

  private synchronized void carryOut(BlockRequest request, int offset) {
    int length = (int) request.length;
    switch (request.operation) {
      case READ -> request.buffers.copyFrom(0, MemorySegment.ofArray(contents), offset, length);
      case WRITE, WRITE_ZEROES -> {
        byte[] bytes = new byte[length];
        if (request.operation == BlockRequest.Operation.WRITE) {
          request.buffers.copyTo(0, MemorySegment.ofArray(bytes), 0, length);
        }
        if (offset + length > contents.length) {
          contents = Arrays.copyOf(contents, offset + length);
        }
        System.arraycopy(bytes, 0, contents, offset, length);
        steps.add(new Write(offset, bytes));
      }
      case FLUSH -> steps.add(new Flush());
      case DISCARD -> {}
    }
  }

  @Override
  public synchronized long length() {
    return contents.length;
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new MemoryLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        carryOut(request, Math.toIntExact(offset));
        request.complete(0);
      }
    };
  }
}
