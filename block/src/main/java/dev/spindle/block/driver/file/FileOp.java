// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.RingOp;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.uring.SubmissionQueue;
import java.util.ArrayList;
import java.util.List;

/**
 * One request on its way through the ring: submits it, goes on where the kernel stopped short, and
 * completes it. Pooled by its lane.
 */
final class FileOp extends RingOp {
  /** What the operation in flight is. */
  private enum Stage {
    /** The request itself. */
    TRANSFER,
    /** Zeroes written by hand, where the file system cannot zero a range. */
    WRITING_ZEROES,
    /** The flush that makes a finished WRITE_ZEROES durable (FUA). */
    FLUSH_AFTER
  }

  private final FileLane lane;
  private BlockRequest request;
  private Stage stage;
  private long offset;
  private long remaining;
  private IoVector zeroes;
  private RangeLocks.Held held;

  /** Run when the operation in flight has ended. */
  private final List<Runnable> watchers = new ArrayList<>();

  FileOp(FileLane lane) {
    super(lane.context());
    this.lane = lane;
  }

  /**
   * Carries out {@code request} on {@code length} bytes from {@code offset}.
   *
   * @param held given back before completion; may be null
   */
  void start(BlockRequest request, long offset, long length, RangeLocks.Held held) {
    this.request = request;
    this.held = held;
    this.offset = offset;
    this.remaining = length;
    this.stage = Stage.TRANSFER;
    if (request.operation == BlockRequest.Operation.DISCARD) {
      shrinkToBlocks();
    }
    if (isNothing()) {
      end(0);
    } else {
      issue();
    }
  }

  static boolean isWrite(BlockRequest request) {
    return switch (request.operation) {
      case READ, FLUSH -> false;
      case WRITE, WRITE_ZEROES, DISCARD -> true;
    };
  }

  /** Whether it is on its way to write some of a range. */
  boolean isWriting(long start, long end) {
    return request != null && isWrite(request) && offset < end && start < offset + remaining;
  }

  /** Runs {@code action} when the operation in flight has ended. */
  void whenEnded(Runnable action) {
    watchers.add(action);
  }

  /** A discard is only a hint: parts of blocks, which a block device refuses, are kept. */
  private void shrinkToBlocks() {
    long mask = lane.discardMask();
    long end = (offset + remaining) & ~mask;
    offset = (offset + mask) & ~mask;
    remaining = Math.max(0, end - offset);
  }

  private boolean isNothing() {
    return switch (request.operation) {
      case FLUSH -> lane.options().noFlush();
      case DISCARD -> remaining == 0 || !lane.options().unmap();
      case READ, WRITE, WRITE_ZEROES -> remaining == 0;
    };
  }

  /** Puts the next piece of work on the ring, now or in a later turn. */
  private void issue() {
    if (!prepare()) {
      context().submitNow();
      if (!prepare()) {
        // The kernel takes nothing more at present. Nobody else's end is waited for, since others
        // may wait for this one's.
        context().execute(this::issue);
        return;
      }
    }
    context().prepared();
  }

  private boolean prepare() {
    SubmissionQueue queue = lane.submission();
    int file = lane.ringFile();
    return switch (stage) {
      case TRANSFER ->
          switch (request.operation) {
            case READ -> queue.prepRead(file, request.buffers, offset, token());
            case WRITE -> queue.prepWrite(file, request.buffers, offset, durable(), token());
            case FLUSH -> queue.prepDataSync(file, token());
            case DISCARD -> queue.prepPunchHole(file, offset, remaining, token());
            case WRITE_ZEROES ->
                mayPunch()
                    ? queue.prepPunchHole(file, offset, remaining, token())
                    : queue.prepZeroRange(file, offset, remaining, token());
          };
      case WRITING_ZEROES -> queue.prepWrite(file, zeroes, offset, false, token());
      case FLUSH_AFTER -> queue.prepDataSync(file, token());
    };
  }

  private boolean durable() {
    return request.forceUnitAccess && !lane.options().noFlush();
  }

  private boolean mayPunch() {
    return request.mayUnmap && lane.options().unmap();
  }

  @Override
  protected void complete(int result, boolean more) {
    if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
      issue();
      return;
    }
    switch (stage) {
      case TRANSFER -> transferred(result);
      case WRITING_ZEROES -> wroteZeroes(result);
      case FLUSH_AFTER -> end(result);
    }
  }

  private void transferred(int result) {
    switch (request.operation) {
      case READ -> read(result);
      case WRITE -> wrote(result);
      case FLUSH -> end(result);
      // A file system that cannot punch holes keeps the data: a discard is only a hint.
      case DISCARD -> end(result == -Errno.EOPNOTSUPP ? 0 : result);
      case WRITE_ZEROES -> {
        // A device refuses parts of sectors, which its page cache takes.
        boolean refused = result == -Errno.EOPNOTSUPP || result == -Errno.EINVAL;
        if (refused && request.mustBeFast) {
          end(-Errno.EOPNOTSUPP);
        } else if (refused) {
          stage = Stage.WRITING_ZEROES;
          writeMoreZeroes();
        } else {
          endDurably(result);
        }
      }
    }
  }

  private void read(int result) {
    if (result < 0 || result == remaining) {
      end(Math.min(result, 0));
      return;
    }
    offset += result;
    remaining -= result;
    request.buffers.advance(result);
    if (result == 0 || (offset & lane.requestMask()) != 0) {
      // The file ends here, short of its last sector's end: what is missing reads as zeroes.
      request.buffers.fill(0, remaining, (byte) 0);
      end(0);
      return;
    }
    issue();
  }

  private void wrote(int result) {
    if (result < 0 || result == remaining) {
      end(Math.min(result, 0));
      return;
    }
    if (result == 0) {
      end(-Errno.ENOSPC);
      return;
    }
    offset += result;
    remaining -= result;
    request.buffers.advance(result);
    issue();
  }

  private void writeMoreZeroes() {
    if (remaining == 0) {
      endDurably(0);
      return;
    }
    if (zeroes == null) {
      zeroes = new IoVector(Zeroes.MAX_RANGES);
    }
    Zeroes.fill(zeroes, remaining);
    issue();
  }

  private void wroteZeroes(int result) {
    if (result <= 0) {
      end(result == 0 ? -Errno.ENOSPC : result);
      return;
    }
    offset += result;
    remaining -= result;
    writeMoreZeroes();
  }

  private void endDurably(int result) {
    if (result < 0 || !durable()) {
      end(Math.min(result, 0));
      return;
    }
    stage = Stage.FLUSH_AFTER;
    issue();
  }

  private void end(int result) {
    BlockRequest ended = request;
    request = null;
    if (held != null) {
      held.close();
      held = null;
    }
    if (!watchers.isEmpty()) {
      watchers.forEach(Runnable::run);
      watchers.clear();
    }
    lane.ended(this);
    ended.complete(result);
  }

  /** Gives the completion slot back; the object is of no use any more. */
  void dispose() {
    release();
  }
}
