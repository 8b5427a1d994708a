// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.ShortLock;
import dev.spindle.block.graph.RangeLocks;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps a write of a part of a block, which reads the block and writes it back whole, apart from
 * all other writes to that block, from any context. While there is none, writes of whole blocks
 * pass without a lock; who comes to write a part has the others' lanes tell when those that are on
 * their way are done, and those that come later wait their turn.
 */
final class BlockWrites {
  private final RangeLocks ranges = new RangeLocks();

  /** Writes of parts that are waiting or at work. */
  private final AtomicInteger partial = new AtomicInteger();

  private final ShortLock lock = new ShortLock();

  /** Guarded by the lock, as what follows is. */
  private final List<FileLane> lanes = new ArrayList<>();

  /** Who waits for lanes. */
  private final List<LaneWait> waits = new ArrayList<>();

  /** Somebody who waits for some lanes' answers. */
  private static final class LaneWait {
    private final Thread thread = Thread.currentThread();

    /** Who has not answered. Guarded by the owner's lock. */
    private final List<FileLane> missing;

    LaneWait(List<FileLane> lanes) {
      this.missing = new ArrayList<>(lanes);
    }

    void answered(FileLane lane) {
      missing.remove(lane);
      LockSupport.unpark(thread);
    }
  }

  /** A lane is there. Its context's thread. */
  void opened(FileLane lane) {
    lock.run(() -> lanes.add(lane));
  }

  /** A lane is going, with nothing on its way. Its context's thread. */
  void closed(FileLane lane) {
    lock.run(
        () -> {
          lanes.remove(lane);
          waits.forEach(wait -> wait.answered(lane));
        });
  }

  /** Whether a write of whole blocks has to take their lock. Any thread. */
  boolean mustLock() {
    return partial.get() > 0;
  }

  /** Waits until a range may be written that others may write as well. Virtual threads only. */
  RangeLocks.Held lockWhole(long start, long end) {
    return ranges.lock(start, end, false);
  }

  /**
   * Waits until nobody else writes a range, nor will until {@link #unlockPartial}. Virtual threads
   * only.
   */
  RangeLocks.Held lockPartial(long start, long end) {
    partial.incrementAndGet();
    try {
      awaitLanes(start, end);
      return ranges.lock(start, end, true);
    } catch (RuntimeException | Error e) {
      partial.decrementAndGet();
      throw e;
    }
  }

  /** Ends {@link #lockPartial}. */
  void unlockPartial(RangeLocks.Held held) {
    held.close();
    partial.decrementAndGet();
  }

  /** Waits for writes that went by before anybody had to take a lock. */
  private void awaitLanes(long start, long end) {
    LaneWait wait = lock.get(() -> new LaneWait(lanes));
    try {
      lock.run(
          () -> {
            wait.missing.retainAll(lanes);
            waits.add(wait);
            // Asked under the lock: a lane that is there has a context that runs.
            wait.missing.forEach(lane -> ask(lane, start, end, wait));
          });
      while (lock.get(() -> !wait.missing.isEmpty())) {
        LockSupport.park(this);
      }
    } finally {
      lock.run(() -> waits.remove(wait));
    }
  }

  private void ask(FileLane lane, long start, long end, LaneWait wait) {
    Runnable answer = () -> lock.run(() -> wait.answered(lane));
    lane.context().execute(() -> lane.whenWritten(start, end, answer));
  }
}
