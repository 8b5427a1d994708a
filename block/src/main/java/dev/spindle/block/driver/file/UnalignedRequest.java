// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.StraightLine;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.PartialWrites;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A READ, WRITE or WRITE_ZEROES that O_DIRECT or the block device would refuse, because its range
 * or its buffers are not aligned: goes through an aligned buffer piece by piece, reading whole
 * blocks first where it writes parts of them. Straight-line code on the request's own context.
 */
final class UnalignedRequest {
  private static final int BUFFER_ALIGNMENT = 4096;

  /** The most bytes that go through the buffer at once: whole blocks, of whatever size. */
  private static final long PIECE = 1 << 20;

  private final FileNode node;
  private final FileLane lane;
  private final AioContext context;
  private final int ringFile;
  private final BlockRequest request;
  private final long offset;
  private final long end;

  /** Where the blocks begin that the range touches. */
  private final long start;

  private final long blocksEnd;
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
    this.offset = offset;
    this.end = offset + length;
    this.start = offset & ~mask;
    this.blocksEnd = (end + mask) & ~mask;
    this.buffer = arena.allocate(Math.min(blocksEnd - start, PIECE), BUFFER_ALIGNMENT);
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
    for (long place = start; place < blocksEnd; place += PIECE) {
      MemorySegment piece = pieceAt(place);
      int result = transfer(place, piece, false);
      if (result < 0) {
        return result;
      }
      long from = Math.max(place, offset);
      request.buffers.copyFrom(from - offset, piece, from - place, wanted(place, piece));
    }
    return 0;
  }

  private int write() {
    PartialWrites writes = node.writes().parts();
    if (start == offset && blocksEnd == end) {
      // It is only the memory that is not aligned.
      try (RangeLocks.Held held = writes.lockWhole(start, blocksEnd)) {
        return writePieces();
      }
    }
    RangeLocks.Held held = writes.lockPartial(start, blocksEnd);
    try {
      return writePieces();
    } finally {
      writes.unlockPartial(held);
    }
  }

  /** The first piece that fails is the last one. */
  private int writePieces() {
    for (long place = start; place < blocksEnd; place += PIECE) {
      MemorySegment piece = pieceAt(place);
      boolean partial = wanted(place, piece) < piece.byteSize();
      int result = partial ? transfer(place, piece, false) : 0;
      if (result == 0) {
        fill(place, piece);
        result = transfer(place, piece, true);
      }
      if (result < 0) {
        return result;
      }
    }
    return 0;
  }

  private MemorySegment pieceAt(long place) {
    return buffer.asSlice(0, Math.min(blocksEnd - place, PIECE));
  }

  /** How many of a piece's bytes are in the range. */
  private long wanted(long place, MemorySegment piece) {
    return Math.min(place + piece.byteSize(), end) - Math.max(place, offset);
  }

  /** Puts what is to be written into a piece. */
  private void fill(long place, MemorySegment piece) {
    long from = Math.max(place, offset);
    long length = wanted(place, piece);
    if (request.operation == BlockRequest.Operation.WRITE) {
      request.buffers.copyTo(from - offset, piece, from - place, length);
    } else {
      piece.asSlice(from - place, length).fill((byte) 0);
    }
  }

  /** Moves a whole piece; what lies past the end of the file reads as zeroes. */
  private int transfer(long place, MemorySegment piece, boolean write) {
    boolean durable = write && request.forceUnitAccess && !lane.options().noFlush();
    long done = 0;
    while (done < piece.byteSize()) {
      long position = done;
      vector.clear();
      vector.add(piece, position, piece.byteSize() - position);
      int result =
          StraightLine.run(
              context,
              (queue, token) ->
                  write
                      ? queue.prepWrite(ringFile, vector, place + position, durable, token)
                      : queue.prepRead(ringFile, vector, place + position, token));
      if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
        continue;
      }
      if (result < 0) {
        return result;
      }
      done += result;
      if (!write && (result == 0 || (result & lane.requestMask()) != 0)) {
        piece.asSlice(done).fill((byte) 0);
        return 0;
      }
      if (write && result == 0) {
        return -Errno.ENOSPC;
      }
    }
    return 0;
  }
}
