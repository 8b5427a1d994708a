// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * A bucket that I/O fills and that leaks at the average rate: once it is full, nothing more may
 * pass until it has leaked to its brim. A request that finds room passes whole, however large, and
 * what it fills beyond the brim is waited for by the next one.
 *
 * <p>Without bursts it takes a tenth of a second's I/O, so that not each single request waits. With
 * bursts it takes the whole burst; if that is longer than a second, a second bucket of a tenth of a
 * second limits the rate during the burst.
 *
 * <p>Doubles suffice: an error would show if more than 100 days of I/O were waited for. Allocates
 * nothing. One thread at a time: the group's lock protects it.
 */
final class LeakyBucket {
  private static final double NS_PER_SECOND = 1e9;
  private static final double PER_TENTH = 10;

  /** 36 years: what is added to a time of {@link System#nanoTime} without wrapping. */
  private static final double MOST_WAIT_NS = 1L << 60;

  private double average;
  private double size;
  private double level;

  /** 0 if there is no second bucket. */
  private double burstRate;

  private double burstSize;
  private double burstLevel;

  /**
   * Sets the limit. What passed before counts as far as it fills the bucket to its brim: it is
   * never waited for at a new and lower rate.
   */
  void configure(BucketLimit limit) {
    average = limit.average();
    boolean bursts = limit.max() > 0;
    size = bursts ? (double) limit.max() * limit.maxLength() : average / PER_TENTH;
    burstRate = limit.maxLength() > 1 ? limit.max() : 0;
    burstSize = burstRate / PER_TENTH;
    level = Math.min(level, size);
    burstLevel = Math.min(burstLevel, burstSize);
  }

  void leak(long elapsedNs) {
    level = Math.max(0, level - average * elapsedNs / NS_PER_SECOND);
    burstLevel = Math.max(0, burstLevel - burstRate * elapsedNs / NS_PER_SECOND);
  }

  /** Lets something pass. */
  void add(double units) {
    if (average > 0) {
      level += units;
    }
    if (burstRate > 0) {
      burstLevel += units;
    }
  }

  /** How long to wait until something may pass, in nanoseconds; 0 if it may now. */
  long waitNs() {
    double wait = 0;
    if (average > 0) {
      wait = (level - size) / average;
    }
    if (burstRate > 0) {
      wait = Math.max(wait, (burstLevel - burstSize) / burstRate);
    }
    return wait <= 0 ? 0 : (long) Math.min(MOST_WAIT_NS, Math.ceil(wait * NS_PER_SECOND));
  }
}
