// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.ShortLock;
import dev.spindle.block.graph.PartialWrites;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * The writes of a node's lanes: who comes to write a part of a block has the lanes tell when those
 * that are on their way are done.
 */
final class BlockWrites {
  private final PartialWrites parts = new PartialWrites(this::awaitLanes);
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

  /** What keeps them apart. Any thread. */
  PartialWrites parts() {
    return parts;
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
