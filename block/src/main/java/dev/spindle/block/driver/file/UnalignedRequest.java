// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.StraightLine;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A READ, WRITE or WRITE_ZEROES that O_DIRECT or the block device would refuse, because its range
 * or its buffers are not aligned: goes through an aligned buffer, reading whole blocks first where
 * it writes parts of them. Straight-line code on the request's own context.
 */
final class UnalignedRequest {
  private static final int BUFFER_ALIGNMENT = 4096;

  private final FileNode node;
  private final FileLane lane;
  private final AioContext context;
  private final int ringFile;
  private final BlockRequest request;
  private final long length;
  private final long start;
  private final long skipped;
  private final MemorySegment buffer;
  private final IoVector vector = new IoVector(1);

  /** {@code length} bytes from {@code offset}, all of the request or a part. */
  private UnalignedRequest(
      FileNode node, FileLane lane, BlockRequest request, long offset, long length, Arena arena) {
    long mask = lane.requestMask();
    this.node = node;
    this.lane = lane;
    this.context = lane.context();
    this.ringFile = lane.ringFile();
    this.request = request;
    this.length = length;
    this.start = offset & ~mask;
    this.skipped = offset - start;
    long end = (offset + length + mask) & ~mask;
    this.buffer = arena.allocate(end - start, BUFFER_ALIGNMENT);
  }

  static void start(FileNode node, FileLane lane, BlockRequest request, long offset) {
    AioContext context = lane.context();
    String name = "unaligned-" + node.name();
    if (request.operation == BlockRequest.Operation.WRITE_ZEROES) {
      context.startVirtual(name, () -> writeZeroes(node, lane, request, offset));
    } else {
      request.completeWith(context, name, () -> run(node, lane, request, offset, request.length));
    }
  }

  /** Zeroes the parts of blocks at the ends by hand; whole blocks take the usual way. */
  private static void writeZeroes(FileNode node, FileLane lane, BlockRequest request, long offset) {
    long mask = lane.requestMask();
    long end = offset + request.length;
    long first = Math.min((offset + mask) & ~mask, end);
    long last = Math.max(end & ~mask, first);
    int result = -Errno.EIO;
    try {
      result = run(node, lane, request, offset, first - offset);
      if (result == 0) {
        result = run(node, lane, request, last, end - last);
      }
    } finally {
      if (result != 0) {
        request.complete(result);
      }
    }
    if (result == 0) {
      lane.submitLocked(request, first, last - first);
    }
  }

  private static int run(
      FileNode node, FileLane lane, BlockRequest request, long offset, long length) {
    if (length == 0) {
      return 0;
    }
    try (Arena arena = Arena.ofConfined()) {
      var unaligned = new UnalignedRequest(node, lane, request, offset, length, arena);
      return request.operation == BlockRequest.Operation.READ
          ? unaligned.read()
          : unaligned.write();
    } catch (OutOfMemoryError e) {
      return -Errno.ENOMEM;
    }
  }

  private int read() {
    int result = transfer(false);
    if (result == 0) {
      request.buffers.copyFrom(0, buffer, skipped, length);
    }
    return result;
  }

  private int write() {
    BlockWrites writes = node.writes();
    long end = start + buffer.byteSize();
    if (buffer.byteSize() == length) {
      // It is only the memory that is not aligned.
      try (RangeLocks.Held held = writes.lockWhole(start, end)) {
        fill();
        return transfer(true);
      }
    }
    RangeLocks.Held held = writes.lockPartial(start, end);
    try {
      int result = transfer(false);
      if (result < 0) {
        return result;
      }
      fill();
      return transfer(true);
    } finally {
      writes.unlockPartial(held);
    }
  }

  /** Puts what is to be written into the buffer. */
  private void fill() {
    if (request.operation == BlockRequest.Operation.WRITE) {
      request.buffers.copyTo(0, buffer, skipped, length);
    } else {
      buffer.asSlice(skipped, length).fill((byte) 0);
    }
  }

  /** Moves the whole buffer; what lies past the end of the file reads as zeroes. */
  private int transfer(boolean write) {
    boolean durable = write && request.forceUnitAccess && !lane.options().noFlush();
    long done = 0;
    while (done < buffer.byteSize()) {
      long position = done;
      vector.clear();
      vector.add(buffer, position, buffer.byteSize() - position);
      int result =
          StraightLine.run(
              context,
              (queue, token) ->
                  write
                      ? queue.prepWrite(ringFile, vector, start + position, durable, token)
                      : queue.prepRead(ringFile, vector, start + position, token));
      if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
        continue;
      }
      if (result < 0) {
        return result;
      }
      done += result;
      if (!write && (result == 0 || (result & lane.requestMask()) != 0)) {
        return 0;
      }
      if (write && result == 0) {
        return -Errno.ENOSPC;
      }
    }
    return 0;
  }
}
