// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import static dev.spindle.block.crypto.SectorCipher.SECTOR;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * One context's way into what is enciphered. Reads of whole sectors go straight into the request's
 * buffers and are deciphered there; what is written is enciphered on its way through memory of the
 * lane's own, by straight-line code. A discard is ignored: what is in use is nobody's business.
 */
public final class CryptLane extends BlockLane {
  /** How much is enciphered before it is written. */
  private static final int PIECE = 1 << 20;

  private final AioContext context;
  private final String threadName;
  private final BlockLane below;
  private final SectorCipher cipher;
  private final long start;
  private final RangeLocks writes;
  private final ChildRequests requests = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();
  private final Deque<Read> free = new ArrayDeque<>();

  private final byte[] from = new byte[SECTOR];
  private final byte[] to = new byte[SECTOR];
  private final MemorySegment fromMemory = MemorySegment.ofArray(from);
  private final MemorySegment toMemory = MemorySegment.ofArray(to);

  /**
   * Makes a lane, which closes the one below.
   *
   * @param threadName as threads that carry out requests are called
   * @param start where sector 0 is below, in bytes
   * @param writes shared by all lanes to the same data
   */
  public CryptLane(
      AioContext context,
      String threadName,
      BlockLane below,
      LuksKey key,
      long start,
      RangeLocks writes) {
    super(below);
    this.context = context;
    this.threadName = threadName;
    this.below = below;
    this.cipher = key.open();
    this.start = start;
    this.writes = writes;
  }

  /** A read of whole sectors. */
  private final class Read implements ChildRequest.Owner {
    private BlockRequest request;
    private long offset;

    void send(BlockRequest wanted, long at) {
      request = wanted;
      offset = at;
      ChildRequest child = requests.take(request.buffers.count());
      child.copy(request, start + offset);
      child.buffers.addAll(request.buffers, 0, request.length);
      child.send(below, this);
    }

    @Override
    public void ended(ChildRequest child, int result) {
      child.close();
      if (result == 0) {
        decrypt(request.buffers, request.length, offset / SECTOR);
      }
      BlockRequest ended = request;
      request = null;
      free.push(this);
      ended.complete(result);
    }
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    switch (request.operation) {
      case FLUSH -> below.submit(request, 0);
      case DISCARD -> request.complete(0);
      case READ -> {
        if (request.length == 0) {
          request.complete(0);
        } else if (isWhole(offset, request.length)) {
          Read read = free.poll();
          (read == null ? new Read() : read).send(request, offset);
        } else {
          request.completeWith(context, threadName, () -> readParts(request, offset));
        }
      }
      case WRITE -> request.completeWith(context, threadName, () -> write(request, offset));
      case WRITE_ZEROES -> {
        if (request.mustBeFast) {
          request.complete(-Errno.EOPNOTSUPP);
        } else {
          request.completeWith(context, threadName, () -> write(request, offset));
        }
      }
    }
  }

  private static boolean isWhole(long offset, long length) {
    return (offset | length) % SECTOR == 0;
  }

  private void decrypt(IoVector data, long length, long sector) {
    for (long at = 0; at < length; at += SECTOR) {
      data.copyTo(at, fromMemory, 0, SECTOR);
      cipher.decrypt(sector + at / SECTOR, from, to, 0);
      data.copyFrom(at, toMemory, 0, SECTOR);
    }
  }

  private void encrypt(MemorySegment data, long sector) {
    for (long at = 0; at < data.byteSize(); at += SECTOR) {
      MemorySegment.copy(data, at, fromMemory, 0, SECTOR);
      cipher.encrypt(sector + at / SECTOR, from, to, 0);
      MemorySegment.copy(toMemory, 0, data, at, SECTOR);
    }
  }

  private int readParts(BlockRequest request, long offset) {
    long end = offset + request.length;
    for (long at = offset; at < end; ) {
      long first = at - at % SECTOR;
      long next = Math.min(first + PIECE, end);
      try (BounceBuffers.Buffer piece = buffers.take(whole(next) - first)) {
        int result = readSectors(piece, first);
        if (result != 0) {
          return result;
        }
        request.buffers.copyFrom(at - offset, piece.memory(), at - first, next - at);
      }
      at = next;
    }
    return 0;
  }

  private static long whole(long end) {
    return (end + SECTOR - 1) / SECTOR * SECTOR;
  }

  /** Writes data or zeroes; sectors of which a part is written are read before. */
  private int write(BlockRequest request, long offset) {
    long end = offset + request.length;
    boolean parts = !isWhole(offset, request.length);
    try (RangeLocks.Held held = writes.lock(offset - offset % SECTOR, whole(end), parts)) {
      for (long at = offset; at < end; ) {
        long first = at - at % SECTOR;
        long next = Math.min(first + PIECE, end);
        try (BounceBuffers.Buffer piece = buffers.take(whole(next) - first)) {
          int result = isWhole(at, next - at) ? 0 : readSectors(piece, first);
          if (result == 0) {
            fill(piece.memory().asSlice(at - first, next - at), request, at - offset);
            encrypt(piece.memory(), first / SECTOR);
            result = transfer(Operation.WRITE, piece, first, request.forceUnitAccess);
          }
          if (result != 0) {
            return result;
          }
        }
        at = next;
      }
      return 0;
    }
  }

  private static void fill(MemorySegment target, BlockRequest request, long position) {
    if (request.operation == Operation.WRITE) {
      request.buffers.copyTo(position, target, 0, target.byteSize());
    } else {
      target.fill((byte) 0);
    }
  }

  private int readSectors(BounceBuffers.Buffer piece, long offset) {
    int result = transfer(Operation.READ, piece, offset, false);
    if (result == 0) {
      decrypt(piece.vector(), piece.memory().byteSize(), offset / SECTOR);
    }
    return result;
  }

  private int transfer(
      Operation operation, BounceBuffers.Buffer piece, long offset, boolean forceUnitAccess) {
    try (ChildRequest child = requests.take(1)) {
      child.operation = operation;
      child.offset = start + offset;
      child.length = piece.memory().byteSize();
      child.forceUnitAccess = forceUnitAccess;
      child.mayUnmap = false;
      child.mustBeFast = false;
      child.buffers.addAll(piece.vector(), 0, child.length);
      return child.run(below);
    }
  }

  /** Whatever is there: zeroes of the file below are no zeroes here. */
  @Override
  public BlockStatus blockStatus(long offset, long length) {
    return BlockStatus.allData(length);
  }

  @Override
  public void close() {
    below.close();
  }
}
