// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.PartialWrites;
import dev.spindle.block.graph.RangeLocks;
import java.lang.foreign.MemorySegment;

/**
 * A request whose range is no multiple of the back end's blocks: reads whole blocks, and writes
 * them back where it writes parts of them. Straight-line code on the context of its lane.
 */
final class FrontEndUnaligned {
  private final FrontEndLane lane;
  private final PartialWrites writes;
  private final BlockRequest request;
  private final long mask;

  FrontEndUnaligned(FrontEndLane lane, PartialWrites writes, BlockRequest request, long mask) {
    this.lane = lane;
    this.writes = writes;
    this.request = request;
    this.mask = mask;
  }

  /** Carries it out; returns 0 or a negated errno. */
  int run(long offset) {
    long end = offset + request.length;
    return switch (request.operation) {
      case READ -> read(offset);
      case WRITE -> write(offset, end);
      case WRITE_ZEROES -> zero(offset, end);
      // A discard is only a hint: parts of blocks are kept.
      case DISCARD -> whole(roundUp(offset), end & ~mask);
      case FLUSH -> throw new IllegalStateException("a flush has no range");
    };
  }

  private long roundUp(long offset) {
    return (offset + mask) & ~mask;
  }

  private int read(long offset) {
    long start = offset & ~mask;
    try (BounceBuffers.Buffer buffer =
        lane.buffers().take(roundUp(offset + request.length) - start)) {
      MemorySegment blocks = buffer.memory();
      int result = transfer(Operation.READ, start, blocks);
      if (result == 0) {
        request.buffers.copyFrom(0, blocks, offset - start, request.length);
      }
      return result;
    }
  }

  /** Writes a range that begins or ends within a block, or lies in one. */
  private int write(long offset, long end) {
    if (offset >= end) {
      return 0;
    }
    long start = offset & ~mask;
    RangeLocks.Held held = writes.lockPartial(start, roundUp(end));
    try (BounceBuffers.Buffer buffer = lane.buffers().take(roundUp(end) - start)) {
      MemorySegment blocks = buffer.memory();
      int result = transfer(Operation.READ, start, blocks);
      if (result != 0) {
        return result;
      }
      if (request.operation == Operation.WRITE) {
        request.buffers.copyTo(0, blocks, offset - start, request.length);
      } else {
        blocks.asSlice(offset - start, end - offset).fill((byte) 0);
      }
      return transfer(Operation.WRITE, start, blocks);
    } finally {
      writes.unlockPartial(held);
    }
  }

  /** Zeroes the parts of blocks at the ends by hand. */
  private int zero(long offset, long end) {
    long first = Math.min(roundUp(offset), end);
    long last = Math.max(end & ~mask, first);
    int result = whole(first, last);
    if (result == 0) {
      result = write(offset, first);
    }
    return result == 0 ? write(last, end) : result;
  }

  private int whole(long start, long end) {
    if (start >= end) {
      return 0;
    }
    FrontEndPart part = new FrontEndPart(request.operation, end - start);
    part.mayUnmap = request.mayUnmap;
    part.mustBeFast = request.mustBeFast;
    RangeLocks.Held held = writes.lockWhole(start, end);
    try {
      return carryOut(part, start);
    } finally {
      held.close();
    }
  }

  private int transfer(Operation operation, long start, MemorySegment blocks) {
    FrontEndPart part = new FrontEndPart(operation, blocks.byteSize());
    part.buffers.add(blocks, 0, blocks.byteSize());
    return carryOut(part, start);
  }

  private int carryOut(FrontEndPart part, long start) {
    part.forceUnitAccess = request.forceUnitAccess;
    lane.start(part, start);
    return part.await();
  }
}
