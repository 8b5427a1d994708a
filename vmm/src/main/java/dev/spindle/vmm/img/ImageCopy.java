// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.linux.Errno;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolImage;
import dev.spindle.vmm.tool.ToolRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Copies images, one behind the other, into another one: several pieces at a time, each by a
 * virtual thread of the tool's context, so that they share all this without races. Holes stay
 * holes.
 */
final class ImageCopy {
  private static final long PIECE = 2 << 20;

  /**
   * How it is copied.
   *
   * @param sparse zeroes of so many bytes, a multiple of 512, become a hole; 0 for none, and then
   *     holes become zeroes that take up space
   * @param atOnce pieces
   * @param targetIsZero whether what is not written reads as zeroes
   * @param salvage whether what cannot be read becomes zeroes
   * @param rate bytes a second; 0 for as fast as may be
   * @param backing length in bytes of what the target backs onto, which then has what the only
   *     source's own backing file has: that is not copied; negative without one
   * @param packed what the target packs as one, bytes, a power of two; 0 for data as it is
   */
  record Ways(
      long sparse,
      int atOnce,
      boolean targetIsZero,
      boolean salvage,
      long rate,
      long backing,
      int packed) {}

  /** What is to be done for a range. */
  private enum Kind {
    DATA,
    ZERO,
    /** Nothing: it reads alike already. */
    NONE
  }

  /** A part of a source that is alike. */
  private record Piece(ToolImage source, long offset, long targetOffset, long length, Kind kind) {}

  private final ImgSession session;
  private final List<ToolImage> sources;
  private final ToolImage target;
  private final Ways ways;

  /** Made once the amount of work is known. */
  private Progress progress;

  /** Finding the next piece may wait; only one thread does it at a time. */
  private final ReentrantLock cursor = new ReentrantLock();

  private int current;
  private long position;
  private long targetPosition;

  /** Of the source at the position, what is known already. */
  private long knownEnd;

  private Kind knownKind;
  private ToolException failure;
  private long sent;
  private long startNs;

  ImageCopy(ImgSession session, List<ToolImage> sources, ToolImage target, Ways ways) {
    this.session = session;
    this.sources = sources;
    this.target = target;
    this.ways = ways;
  }

  /**
   * Copies everything.
   *
   * @param shown whether to show how far it is
   */
  void run(boolean shown) throws ToolException {
    progress = new Progress(session.output(), shown, shown ? work() : 0);
    startNs = System.nanoTime();
    CompletableFuture<?>[] ends = new CompletableFuture<?>[ways.atOnce];
    for (int i = 0; i < ends.length; i++) {
      CompletableFuture<Void> end = new CompletableFuture<>();
      ends[i] = end;
      session.blocks().context().startVirtual("copy", () -> work(end));
    }
    CompletableFuture.allOf(ends).join();
    if (failure != null) {
      throw failure;
    }
    int status = target.flush();
    if (status < 0) {
      throw new ToolException("error while flushing: " + Errno.message(-status));
    }
    progress.end();
  }

  /** Bytes that something has to be done for. */
  private long work() {
    long bytes = 0;
    for (ToolImage source : sources) {
      for (long at = 0; at < source.length(); ) {
        BlockStatus status = source.status(at, mostAlike(source, at));
        bytes += kind(status, at) == Kind.NONE ? 0 : status.length();
        at += status.length();
      }
    }
    return bytes;
  }

  /** How far a range may go that is treated as one. */
  private long mostAlike(ToolImage source, long position) {
    long end = position < ways.backing ? Math.min(ways.backing, source.length()) : source.length();
    return end - position;
  }

  private Kind kind(BlockStatus status, long position) {
    if (ways.backing >= 0) {
      boolean below = status.depth() > 1 && !status.beyondEnd();
      return below || (status.zero() && position >= ways.backing)
          ? Kind.NONE
          : status.zero() ? Kind.ZERO : Kind.DATA;
    }
    if (!status.zero()) {
      return Kind.DATA;
    }
    return ways.sparse > 0 && ways.targetIsZero ? Kind.NONE : Kind.ZERO;
  }

  private void work(CompletableFuture<Void> end) {
    try {
      MemorySegment buffer = Arena.ofAuto().allocate(PIECE, 4096);
      Piece piece;
      while (failure == null && (piece = next()) != null) {
        copy(piece, buffer);
        if (piece.kind != Kind.NONE) {
          progress.add(piece.length);
        }
      }
      end.complete(null);
    } catch (ToolException e) {
      failure = failure == null ? e : failure;
      end.complete(null);
    } catch (RuntimeException | Error e) {
      end.completeExceptionally(e);
    }
  }

  private Piece next() {
    cursor.lock();
    try {
      while (current < sources.size() && position == sources.get(current).length()) {
        current++;
        position = 0;
        knownEnd = 0;
      }
      if (current == sources.size()) {
        return null;
      }
      ToolImage source = sources.get(current);
      if (position >= knownEnd) {
        BlockStatus status = source.status(position, mostAlike(source, position));
        knownEnd = position + status.length();
        knownKind = kind(status, position);
        if (ways.packed > 0) {
          keepWhole(source);
        }
      }
      long most = knownKind == Kind.DATA ? PIECE : 1L << 30;
      Piece piece =
          new Piece(
              source, position, targetPosition, Math.min(most, knownEnd - position), knownKind);
      position += piece.length;
      targetPosition += piece.length;
      return piece;
    } finally {
      cursor.unlock();
    }
  }

  /** Packed data is of whole clusters: where something ends within one, all of it is data. */
  private void keepWhole(ToolImage source) {
    long mask = ways.packed - 1L;
    if (knownEnd == source.length() || (knownEnd & mask) == 0) {
      return;
    }
    if (knownKind != Kind.DATA && (knownEnd & ~mask) > position) {
      knownEnd &= ~mask;
    } else {
      knownKind = Kind.DATA;
      knownEnd = Math.min(source.length(), (knownEnd | mask) + 1);
    }
  }

  private void copy(Piece piece, MemorySegment buffer) throws ToolException {
    switch (piece.kind) {
      case NONE -> {}
      case ZERO -> writeZeroes(piece.targetOffset, piece.length, ways.sparse > 0);
      case DATA -> copyData(piece, buffer);
    }
  }

  private void copyData(Piece piece, MemorySegment buffer) throws ToolException {
    limitRate(piece.length);
    MemorySegment data = buffer.asSlice(0, piece.length);
    int status = piece.source.read(piece.offset, data);
    if (status < 0) {
      readByBits(piece, data, status);
    }
    if (ways.packed > 0) {
      pack(piece, data);
      return;
    }
    long step = ways.sparse > 0 ? ways.sparse : piece.length;
    for (long done = 0; done < piece.length; ) {
      boolean zero =
          ways.sparse > 0 && Zeroes.isZero(data, done, Math.min(step, piece.length - done));
      long length =
          ways.sparse > 0 ? Zeroes.runLength(data, done, piece.length, step, zero) : piece.length;
      if (zero) {
        writeZeroes(piece.targetOffset + done, length, true);
      } else {
        write(piece.targetOffset + done, data.asSlice(done, length));
      }
      done += length;
    }
  }

  private void pack(Piece piece, MemorySegment data) throws ToolException {
    for (long done = 0; done < piece.length; ) {
      long length = Math.min(ways.packed, piece.length - done);
      long offset = piece.targetOffset + done;
      if (Zeroes.isZero(data, done, length)) {
        writeZeroes(offset, length, true);
      } else {
        ToolRequest request =
            new ToolRequest(1)
                .set(Operation.WRITE, offset, length)
                .with(data.asSlice(done, length));
        request.mayPack = true;
        check(offset, request.send(target.lane()).await());
      }
      done += length;
    }
  }

  /** Finds out which sectors cannot be read. */
  private void readByBits(Piece piece, MemorySegment data, int failed) throws ToolException {
    if (!ways.salvage) {
      throw new ToolException(
          "error while reading at byte %d: %s".formatted(piece.offset, Errno.message(-failed)));
    }
    for (long done = 0; done < piece.length; done += 512) {
      MemorySegment sector = data.asSlice(done, Math.min(512, piece.length - done));
      int status = piece.source.read(piece.offset + done, sector);
      if (status < 0) {
        session
            .output()
            .error(
                "warning: error while reading offset %d: %s"
                    .formatted(piece.offset + done, Errno.message(-status)));
        sector.fill((byte) 0);
      }
    }
  }

  private void write(long offset, MemorySegment data) throws ToolException {
    check(offset, target.write(offset, data));
  }

  private void writeZeroes(long offset, long length, boolean hole) throws ToolException {
    if (hole && ways.targetIsZero) {
      return;
    }
    ToolRequest request = new ToolRequest(1).set(Operation.WRITE_ZEROES, offset, length);
    request.mayUnmap = hole;
    check(offset, request.send(target.lane()).await());
  }

  private static void check(long offset, int status) throws ToolException {
    if (status < 0) {
      throw new ToolException(
          "error while writing at byte %d: %s".formatted(offset, Errno.message(-status)));
    }
  }

  private void limitRate(long bytes) {
    if (ways.rate == 0) {
      return;
    }
    sent += bytes;
    long due = startNs + (long) (sent * 1e9 / ways.rate);
    long early = due - System.nanoTime();
    while (early > 0) {
      LockSupport.parkNanos(early);
      early = due - System.nanoTime();
    }
  }
}
