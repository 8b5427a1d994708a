// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.ShortLock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps requests of a node apart that overlap and must not (QEMU's serialising requests): each
 * waits for those before it that overlap with it, unless both share. In order of arrival, so nobody
 * starves, and nobody who holds one range and asks for no other waits in a circle. From any
 * context; only virtual threads wait.
 */
public final class RangeLocks {
  private final ShortLock lock = new ShortLock();

  /** In order of arrival; guarded by the lock. */
  private final List<Held> ranges = new ArrayList<>();

  /** A range of bytes that somebody has, or waits for. */
  public final class Held implements AutoCloseable {
    private final long start;
    private final long end;
    private final boolean alone;
    private final Thread owner = Thread.currentThread();

    private Held(long start, long end, boolean alone) {
      this.start = start;
      this.end = end;
      this.alone = alone;
    }

    private boolean excludes(Held other) {
      return (alone || other.alone) && start < other.end && other.start < end;
    }

    /** Gives it back. Any thread. */
    @Override
    public void close() {
      lock.run(() -> giveBack(this));
    }
  }

  /**
   * Waits for a range.
   *
   * @param start in bytes
   * @param end in bytes, past the last one
   * @param alone whether nobody else may have any of it; otherwise others may share it
   */
  public Held lock(long start, long end, boolean alone) {
    Held held = new Held(start, end, alone);
    lock.run(() -> ranges.add(held));
    while (lock.get(() -> mustWait(held))) {
      LockSupport.park(this);
    }
    return held;
  }

  private boolean mustWait(Held held) {
    for (Held earlier : ranges) {
      if (earlier == held) {
        return false;
      }
      if (earlier.excludes(held)) {
        return true;
      }
    }
    throw new IllegalStateException("a range is waited for that was given back");
  }

  private void giveBack(Held held) {
    int place = ranges.indexOf(held);
    ranges.remove(place);
    for (Held later : ranges.subList(place, ranges.size())) {
      if (held.excludes(later)) {
        LockSupport.unpark(later.owner);
      }
    }
  }
}
