// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.driver.blkdebug.DebugRule.InjectError;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.IoVector;

/**
 * A request that goes down in parts: aligned ones, none larger than the node takes, each of which
 * the rules may fail. Straight-line code on the request's own context.
 */
final class CutRequest {
  /** Zeroes written by hand go in parts of at most so many bytes. */
  private static final long ZEROES = 1 << 20;

  private final BlkdebugLane lane;
  private final DebugLimits limits;
  private final BlockRequest request;
  private final long start;
  private final long end;
  private final long nodeLength;

  CutRequest(BlkdebugLane lane, BlockRequest request, long offset) {
    this.lane = lane;
    this.limits = lane.node().cuts();
    this.request = request;
    this.start = offset;
    this.end = offset + request.length;
    this.nodeLength = lane.node().length();
  }

  /** Returns what the request ends with. */
  int run() {
    return switch (request.operation) {
      case READ -> read();
      case WRITE, WRITE_ZEROES -> write();
      case DISCARD -> discard();
      case FLUSH -> throw new IllegalArgumentException("a flush has no parts");
    };
  }

  private long blockOf(long position) {
    return position & -limits.align();
  }

  /** The end of the last block; the node's own end may come first. */
  private long blockEnd(long position) {
    return Math.min(blockOf(position + limits.align() - 1), Math.max(nodeLength, position));
  }

  private int read() {
    if (blockOf(start) == start && blockEnd(end) == end) {
      return transfer(Operation.READ, request.buffers, start, end);
    }
    try (BounceBuffers.Buffer blocks = lane.buffers().take(blockEnd(end) - blockOf(start))) {
      int result = transfer(Operation.READ, blocks.vector(), blockOf(start), blockEnd(end));
      if (result == 0) {
        request.buffers.copyFrom(0, blocks.memory(), start - blockOf(start), end - start);
      }
      return result;
    }
  }

  private int write() {
    boolean zeroes = request.operation == Operation.WRITE_ZEROES;
    boolean aligned = blockOf(start) == start && blockEnd(end) == end;
    RangeLocks.Held held = lane.node().writes().lock(blockOf(start), blockEnd(end), !aligned);
    try (held) {
      lane.fire(zeroes ? BlkdebugEvent.PWRITEV_ZERO : BlkdebugEvent.PWRITEV);
      int result = zeroes ? writeZeroes() : writeBlocks(start, end, request.buffers);
      lane.fire(BlkdebugEvent.PWRITEV_DONE);
      return result;
    }
  }

  /** Writes a range; of blocks that it covers in part, it reads the rest and writes it back. */
  private int writeBlocks(long from, long to, IoVector data) {
    long first = blockOf(from);
    long last = blockEnd(to);
    if (first == from && last == to) {
      return transfer(Operation.WRITE, data, from, to);
    }
    try (BounceBuffers.Buffer blocks = lane.buffers().take(last - first)) {
      int result = readEnds(from, to, blocks);
      if (result < 0) {
        return result;
      }
      data.copyTo(0, blocks.memory(), from - first, to - from);
      return transfer(Operation.WRITE, blocks.vector(), first, last);
    }
  }

  /** Reads the first and the last block, as far as they are not written whole. */
  private int readEnds(long from, long to, BounceBuffers.Buffer blocks) {
    long first = blockOf(from);
    long last = blockEnd(to);
    long firstEnd = Math.min(first + limits.align(), last);
    long tail = blockOf(to);
    int result = 0;
    if (first != from) {
      lane.fire(BlkdebugEvent.PWRITEV_RMW_HEAD);
      result = readBlock(blocks, first, first, firstEnd);
      lane.fire(BlkdebugEvent.PWRITEV_RMW_AFTER_HEAD);
    }
    boolean tailIsRead = first != from && tail == first;
    if (result == 0 && last != to && !tailIsRead) {
      lane.fire(BlkdebugEvent.PWRITEV_RMW_TAIL);
      result = readBlock(blocks, first, tail, last);
      lane.fire(BlkdebugEvent.PWRITEV_RMW_AFTER_TAIL);
    }
    return result;
  }

  /** Reads {@code from} to {@code to} to where it belongs in blocks that begin at {@code first}. */
  private int readBlock(BounceBuffers.Buffer blocks, long first, long from, long to) {
    return transfer(Operation.READ, blocks.vector(), from - first, from, to);
  }

  /** Whole units as ranges of zeroes, what is left at the ends by hand. */
  private int writeZeroes() {
    long unit = limits.optWriteZero();
    long first = Math.min(roundUp(start, unit), end);
    long last = Math.max(roundDown(end, unit), first);
    int result = writeZeroesByHand(start, first);
    if (result == 0) {
      result = ranges(first, last, limits.maxWriteZero());
    }
    return result == 0 ? writeZeroesByHand(last, end) : result;
  }

  private int writeZeroesByHand(long from, long to) {
    if (from == to) {
      return 0;
    }
    long most = Math.max(ZEROES, limits.align());
    try (BounceBuffers.Buffer zeroes = lane.buffers().take(Math.min(most, to - from))) {
      zeroes.memory().fill((byte) 0);
      for (long position = from; position < to; ) {
        long partEnd = Math.min(to, blockOf(position + most));
        int result = writeBlocks(position, partEnd, zeroes.vector());
        if (result < 0) {
          return result;
        }
        position = partEnd;
      }
    }
    return 0;
  }

  /** A discard is a hint: what is no whole unit is kept. */
  private int discard() {
    long unit = limits.optDiscard();
    long first = Math.min(roundUp(start, unit), end);
    return ranges(first, Math.max(roundDown(end, unit), first), limits.maxDiscard());
  }

  private static long roundUp(long position, long unit) {
    return roundDown(position + unit - 1, unit);
  }

  private static long roundDown(long position, long unit) {
    return position - position % unit;
  }

  private int ranges(long from, long to, long most) {
    for (long position = from; position < to; ) {
      long length = Math.min(most, to - position);
      int result = runPart(request.operation, null, 0, position, length);
      if (result < 0) {
        return result;
      }
      position += length;
    }
    return 0;
  }

  private int transfer(Operation operation, IoVector data, long from, long to) {
    return transfer(operation, data, 0, from, to);
  }

  private int transfer(Operation operation, IoVector data, long dataStart, long from, long to) {
    for (long position = from; position < to; ) {
      long length = Math.min(limits.maxTransfer(), to - position);
      int result = runPart(operation, data, dataStart + position - from, position, length);
      if (result < 0) {
        return result;
      }
      position += length;
    }
    return 0;
  }

  private int runPart(
      Operation operation, IoVector data, long dataOffset, long position, long length) {
    InjectError error = lane.node().rules().check(IoType.of(operation), position, length);
    if (error != null) {
      return -error.errno();
    }
    try (ChildRequest part = lane.children().take(data == null ? 1 : data.count())) {
      part.copy(request, position);
      part.operation = operation;
      part.length = length;
      if (data != null) {
        part.buffers.addAll(data, dataOffset, length);
      }
      return part.run(lane.below());
    }
  }
}
