// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.job.JobBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Copies several pieces at a time. The job's thread only, and its context, on which requests end.
 */
final class Copier {
  private final JobBackend source;
  private final JobBackend target;
  private final MemorySegment zeroes;
  private final ArrayDeque<CopyOp> free = new ArrayDeque<>();
  private final List<CopyOp> underWay = new ArrayList<>();
  private final ArrayDeque<CopyOp> ended = new ArrayDeque<>();
  private final Thread thread = Thread.currentThread();

  /**
   * Makes one.
   *
   * @param operations how many pieces at a time
   * @param most bytes of a piece
   */
  Copier(
      JobBackend source,
      JobBackend target,
      Overlaps overlaps,
      int operations,
      long most,
      Arena arena) {
    this.source = source;
    this.target = target;
    this.zeroes = arena.allocate(most, 64);
    for (int i = 0; i < operations; i++) {
      free.add(new CopyOp(this, arena.allocate(most, 4096), overlaps.new Span()));
    }
  }

  BackendLane source() {
    return source.lane();
  }

  BackendLane target() {
    return target.lane();
  }

  boolean isZero(MemorySegment buffer, long length) {
    return MemorySegment.mismatch(buffer, 0, length, zeroes, 0, length) < 0;
  }

  /** Whether a piece may be started. */
  boolean hasRoom() {
    return !free.isEmpty();
  }

  boolean isIdle() {
    return underWay.isEmpty() && ended.isEmpty();
  }

  /** Whether some of it is being copied. */
  boolean isCopying(DirtyArea area) {
    return underWay.stream().anyMatch(operation -> operation.overlaps(area))
        || ended.stream().anyMatch(operation -> operation.overlaps(area));
  }

  /** Bytes that are being copied. */
  long bytesUnderWay() {
    return underWay.stream().mapToLong(operation -> operation.area().bytes()).sum();
  }

  /** Takes an operation to be started. */
  CopyOp take() {
    return free.remove();
  }

  void start(CopyOp operation, DirtyArea area) {
    underWay.add(operation);
    operation.start(area);
  }

  void ended(CopyOp operation) {
    underWay.remove(operation);
    ended.add(operation);
    LockSupport.unpark(thread);
  }

  /** An operation that has ended, to be {@link #giveBack given back}; null if there is none. */
  CopyOp pollEnded() {
    return ended.poll();
  }

  void giveBack(CopyOp operation) {
    free.add(operation);
  }

  /** Waits until one has ended, if any is under way. */
  void awaitOne() {
    while (ended.isEmpty() && !underWay.isEmpty()) {
      LockSupport.park(this);
    }
  }

  /** Waits until none is under way. */
  void awaitAll() {
    while (!underWay.isEmpty()) {
      LockSupport.park(this);
    }
  }
}
