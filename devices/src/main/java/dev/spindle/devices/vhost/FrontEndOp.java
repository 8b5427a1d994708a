// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.PartialWrites;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.util.ArrayList;
import java.util.List;

/**
 * A request on its way through a queue, in as many pieces as it takes. Pooled by its queue; the
 * thread of the queue's context only.
 */
final class FrontEndOp {
  private enum Stage {
    /** The request itself. */
    TRANSFER,
    /** Zeroes written by hand, where the back end cannot zero a range. */
    WRITING_ZEROES,
    /** The flush after it (FUA). */
    FLUSH_AFTER
  }

  private static final int UNMAP = 1;

  private final FrontEndQueue queue;
  private BlockRequest request;

  /** Where the request came from, if not from the queue's context. */
  private AioContext origin;

  private long offset;
  private long length;
  private Stage stage;

  /** Bytes of the stage that have been sent; a flush counts as one. */
  private long sent;

  private long toSend;
  private int piecesOut;
  private int result;

  /** Whether it has to take, or has taken, the lock of its range. */
  private boolean locking;

  /** The lock of its range, if it had to take that. */
  private RangeLocks.Held held;

  /** Run when the request in progress has ended. */
  private final List<Runnable> watchers = new ArrayList<>();

  /** Whether it waits for room, with some of it still to be sent. */
  private boolean waiting;

  FrontEndOp(FrontEndQueue queue) {
    this.queue = queue;
  }

  void begin(BlockRequest newRequest, long newOffset, AioContext newOrigin) {
    request = newRequest;
    origin = newOrigin;
    offset = newOffset;
    length = newRequest.length;
    stage = Stage.TRANSFER;
    restart();
  }

  /** Begins the stage again: nothing of it is on its way any more. */
  void restart() {
    sent = 0;
    piecesOut = 0;
    result = 0;
    boolean flush = stage == Stage.FLUSH_AFTER || request.operation == Operation.FLUSH;
    toSend = flush ? 1 : length;
  }

  boolean isWrite() {
    return switch (request.operation) {
      case READ, FLUSH -> false;
      case WRITE, WRITE_ZEROES, DISCARD -> true;
    };
  }

  /** Whether it writes to some of a range without a lock, at which others would wait for it. */
  boolean isWriting(long start, long end) {
    return request != null
        && !locking
        && isWrite()
        && !(request instanceof FrontEndPart)
        && offset < end
        && start < offset + length;
  }

  /** Runs {@code action} when the request in progress has ended. */
  void whenEnded(Runnable action) {
    watchers.add(action);
  }

  /** It will have to wait for the lock of its range. */
  void mustLock() {
    locking = true;
  }

  /** Waits for the lock of its range; gives it back at the end. Virtual threads only. */
  void lock(PartialWrites writes) {
    held = writes.lockWhole(offset, offset + length);
  }

  void setWaiting(boolean on) {
    waiting = on;
  }

  boolean isWaiting() {
    return waiting;
  }

  long offset() {
    return offset;
  }

  long length() {
    return length;
  }

  IoVector buffers() {
    return request.buffers;
  }

  /**
   * Sends what is left of the stage. May complete the request.
   *
   * @return false if the ring has no room for all of it now
   */
  boolean send(FrontEndRing ring, SharedRegions shared) {
    if (isNothing(ring.disk())) {
      sent = toSend;
    }
    if (mustStayUndone(ring.disk())) {
      end(-Errno.EOPNOTSUPP);
      return true;
    }
    while (sent < toSend) {
      long bytes = sendPiece(ring, shared);
      if (bytes == 0) {
        return false;
      }
      sent += bytes;
      piecesOut++;
    }
    if (piecesOut == 0) {
      stageDone();
    }
    return true;
  }

  private boolean isNothing(FrontEndDisk disk) {
    if (stage != Stage.TRANSFER) {
      return stage == Stage.FLUSH_AFTER && !disk.hasCache();
    }
    return switch (request.operation) {
      case FLUSH -> !disk.hasCache();
      case DISCARD -> disk.maxDiscardBytes() == 0;
      case WRITE_ZEROES, READ, WRITE -> false;
    };
  }

  /** Zeroes would have to be written as data are, which whoever wants them does not want. */
  private boolean mustStayUndone(FrontEndDisk disk) {
    return request.operation == Operation.WRITE_ZEROES
        && request.mustBeFast
        && disk.maxZeroesBytes() == 0;
  }

  private long sendPiece(FrontEndRing ring, SharedRegions shared) {
    return switch (stage) {
      case TRANSFER ->
          switch (request.operation) {
            case READ -> transfer(ring, shared, BlkDriver.IN);
            case WRITE -> transfer(ring, shared, BlkDriver.OUT);
            case FLUSH -> ring.flush(this);
            case DISCARD ->
                ring.range(this, BlkDriver.DISCARD, sent, ring.disk().maxDiscardBytes(), 0);
            case WRITE_ZEROES -> zero(ring);
          };
      case WRITING_ZEROES -> ring.zeroes(this, sent);
      case FLUSH_AFTER -> ring.flush(this);
    };
  }

  private long transfer(FrontEndRing ring, SharedRegions shared, int type) {
    boolean direct = sent == 0 && ring.takesDirectly(buffers()) && shared.reach(buffers());
    return direct ? ring.direct(this, type, shared) : ring.copied(this, type, sent);
  }

  private long zero(FrontEndRing ring) {
    FrontEndDisk disk = ring.disk();
    if (disk.maxZeroesBytes() == 0) {
      return ring.zeroes(this, sent);
    }
    int flags = request.mayUnmap && disk.zeroesMayUnmap() ? UNMAP : 0;
    return ring.range(this, BlkDriver.WRITE_ZEROES, sent, disk.maxZeroesBytes(), flags);
  }

  /**
   * The back end is done with a piece.
   *
   * @param status what it says of it
   */
  void pieceDone(int status) {
    piecesOut--;
    int error =
        switch (status) {
          case BlkDriver.OK -> 0;
          case BlkDriver.UNSUPP -> -Errno.EOPNOTSUPP;
          default -> -Errno.EIO;
        };
    if (error != 0) {
      result = result == 0 ? error : result;
      // The rest would be in vain.
      sent = toSend;
    }
    if (piecesOut == 0 && sent == toSend && !waiting) {
      stageDone();
    }
  }

  private void stageDone() {
    boolean writes =
        request.operation == Operation.WRITE || request.operation == Operation.WRITE_ZEROES;
    if (stage == Stage.TRANSFER && result == -Errno.EOPNOTSUPP) {
      switch (request.operation) {
        // A discard is only a hint.
        case DISCARD -> result = 0;
        case WRITE_ZEROES -> {
          if (!request.mustBeFast) {
            enter(Stage.WRITING_ZEROES);
            return;
          }
        }
        case READ, WRITE, FLUSH -> result = -Errno.EIO;
      }
    }
    if (result == 0 && writes && request.forceUnitAccess && stage != Stage.FLUSH_AFTER) {
      enter(Stage.FLUSH_AFTER);
    } else {
      end(result);
    }
  }

  private void enter(Stage next) {
    stage = next;
    restart();
    queue.goOn(this);
  }

  /** Hands the request back, and itself to the pool. */
  void end(int status) {
    BlockRequest ended = request;
    AioContext home = origin;
    request = null;
    origin = null;
    if (held != null) {
      held.close();
      held = null;
    }
    locking = false;
    if (!watchers.isEmpty()) {
      List<Runnable> told = List.copyOf(watchers);
      watchers.clear();
      told.forEach(Runnable::run);
    }
    queue.ended(this);
    if (home == null) {
      ended.complete(status);
    } else {
      home.execute(() -> ended.complete(status));
    }
  }
}
