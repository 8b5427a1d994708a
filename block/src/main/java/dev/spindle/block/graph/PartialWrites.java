// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Keeps a write of a part of a block, which reads the block and writes it back whole, apart from
 * all other writes to that block, from any context. While there is none, writes of whole blocks
 * pass without a lock; who comes to write a part waits for those on their way, and has those that
 * come later wait.
 */
public final class PartialWrites {
  private final RangeLocks ranges = new RangeLocks();

  /** Writes of parts that are waiting or at work. */
  private final AtomicInteger partial = new AtomicInteger();

  private final Earlier earlier;

  /** The writes that went by before anybody had to take a lock. */
  @FunctionalInterface
  public interface Earlier {
    /**
     * Waits until those are over that overlap with a range. Virtual threads only.
     *
     * @param start in bytes
     * @param end in bytes, past the last one
     */
    void await(long start, long end);
  }

  /** Begins without any. */
  public PartialWrites(Earlier earlier) {
    this.earlier = earlier;
  }

  /** Whether a write of whole blocks has to take their lock. Any thread. */
  public boolean mustLock() {
    return partial.get() > 0;
  }

  /** Waits until a range may be written that others may write as well. Virtual threads only. */
  public RangeLocks.Held lockWhole(long start, long end) {
    return ranges.lock(start, end, false);
  }

  /**
   * Waits until nobody else writes a range, nor will until {@link #unlockPartial}. Virtual threads
   * only.
   */
  public RangeLocks.Held lockPartial(long start, long end) {
    partial.incrementAndGet();
    try {
      earlier.await(start, end);
      return ranges.lock(start, end, true);
    } catch (RuntimeException | Error e) {
      partial.decrementAndGet();
      throw e;
    }
  }

  /** Ends {@link #lockPartial}. */
  public void unlockPartial(RangeLocks.Held held) {
    held.close();
    partial.decrementAndGet();
  }
}
