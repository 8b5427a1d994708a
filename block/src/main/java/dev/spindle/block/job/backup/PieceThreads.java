// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.backup;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.driver.cbw.SavedState;
import dev.spindle.block.job.JobBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;

/**
 * Copies several pieces at a time, each as straight-line code on the job's context. Everything here
 * runs there, so nothing is locked; none is under way while the job stands still.
 */
final class PieceThreads {
  private static final int MOST = 16;

  /** Why a piece was not copied. */
  record Failure(boolean write, int errno) {}

  private final SavedState state;
  private final JobBackend from;
  private final JobBackend to;
  private final ArrayDeque<MemorySegment> buffers = new ArrayDeque<>();
  private final Thread job = Thread.currentThread();
  private int underWay;
  private Failure failure;

  /** What a piece's thread threw, which no second try would mend; null if none did. */
  private Throwable thrown;

  PieceThreads(SavedState state, JobBackend from, JobBackend to, Arena arena) {
    this.state = state;
    this.from = from;
    this.to = to;
    for (int i = 0; i < MOST; i++) {
      buffers.add(arena.allocate(SavedState.PIECE, 4096));
    }
  }

  /** Waits until a piece may be started. */
  void awaitRoom() {
    while (buffers.isEmpty()) {
      LockSupport.park(this);
    }
  }

  void awaitAll() {
    while (underWay > 0) {
      LockSupport.park(this);
    }
  }

  void start(DirtyArea area) {
    MemorySegment buffer = buffers.getFirst();
    from.lane().context().startVirtual("backup", () -> run(area, buffer));
    buffers.removeFirst();
    underWay++;
  }

  private void run(DirtyArea area, MemorySegment buffer) {
    try {
      state.save(area.offset(), area.bytes(), (offset, length) -> copy(offset, length, buffer));
    } catch (RuntimeException | Error e) {
      thrown = e;
    } finally {
      buffers.add(buffer);
      underWay--;
      LockSupport.unpark(job);
    }
  }

  private int copy(long offset, long length, MemorySegment buffer) {
    MemorySegment data = buffer.asSlice(0, length);
    int result = from.read(offset, data);
    boolean write = result == 0;
    if (write) {
      result = to.write(offset, data);
    }
    if (result < 0) {
      failure = new Failure(write, -result);
    }
    return result;
  }

  /**
   * Why a piece failed since the last call; null if none did.
   *
   * @throws RuntimeException or an {@link Error}, as a piece's thread did
   */
  Failure takeFailure() {
    switch (thrown) {
      case null -> {}
      case Error error -> throw error;
      default -> throw (RuntimeException) thrown;
    }
    Failure taken = failure;
    failure = null;
    return taken;
  }
}
