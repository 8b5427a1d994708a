// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

/**
 * How fast a job may go: what it did beyond its speed, it waits for; a tenth of a second's work
 * passes at once. Protected by the job mutex.
 */
final class RateLimit {
  private static final long BURST_NS = 100_000_000;
  private static final double NS_PER_SECOND = 1e9;

  /** 36 years: what is added to a time without wrapping. */
  private static final double MOST_NS = 1L << 60;

  private long speed;

  /** When all that was done is paid for, if {@link #speed} is not 0. */
  private long paidAtNs;

  /** Bytes per second, 0 for no limit. */
  long speed() {
    return speed;
  }

  /** Sets the speed; what was done before counts no more. */
  void setSpeed(long bytesPerSecond, long nowNs) {
    speed = bytesPerSecond;
    paidAtNs = nowNs;
  }

  /**
   * Counts some work.
   *
   * @return how long to wait now, in nanoseconds, 0 or more
   */
  long add(long bytes, long nowNs) {
    if (speed == 0) {
      return 0;
    }
    long behind = Math.max(0, paidAtNs - nowNs);
    double price = Math.min(MOST_NS - behind, bytes * NS_PER_SECOND / speed);
    paidAtNs = nowNs + behind + (long) price;
    return Math.max(0, paidAtNs - nowNs - BURST_NS);
  }
}
