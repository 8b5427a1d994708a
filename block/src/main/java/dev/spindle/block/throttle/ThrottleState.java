// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * The six buckets of one set of limits. Times are the caller's, in nanoseconds, as of {@link
 * System#nanoTime}; one that lies before an earlier one counts as that. Allocates nothing. One
 * thread at a time: the group's lock protects it.
 */
final class ThrottleState {
  private final LeakyBucket iopsTotal = new LeakyBucket();
  private final LeakyBucket iopsRead = new LeakyBucket();
  private final LeakyBucket iopsWrite = new LeakyBucket();
  private final LeakyBucket bpsTotal = new LeakyBucket();
  private final LeakyBucket bpsRead = new LeakyBucket();
  private final LeakyBucket bpsWrite = new LeakyBucket();
  private long iopsSize;
  private long leakedNs;

  ThrottleState(long nowNs) {
    this.leakedNs = nowNs;
  }

  /** Sets limits; for what passed before, see {@link LeakyBucket#configure}. */
  void configure(ThrottleLimits limits, long nowNs) {
    leak(nowNs);
    iopsTotal.configure(limits.iopsTotal());
    iopsRead.configure(limits.iopsRead());
    iopsWrite.configure(limits.iopsWrite());
    bpsTotal.configure(limits.bpsTotal());
    bpsRead.configure(limits.bpsRead());
    bpsWrite.configure(limits.bpsWrite());
    iopsSize = limits.iopsSize();
  }

  /** How long a request has to wait from now on, in nanoseconds; 0 if it may pass. */
  long waitNs(ThrottleDirection direction, long nowNs) {
    leak(nowNs);
    boolean read = direction == ThrottleDirection.READ;
    long ofTotals = Math.max(iopsTotal.waitNs(), bpsTotal.waitNs());
    long ofDirection =
        Math.max((read ? iopsRead : iopsWrite).waitNs(), (read ? bpsRead : bpsWrite).waitNs());
    return Math.max(ofTotals, ofDirection);
  }

  /** A request passes. */
  void account(ThrottleDirection direction, long bytes) {
    boolean read = direction == ThrottleDirection.READ;
    double operations = iopsSize > 0 && bytes > iopsSize ? (double) bytes / iopsSize : 1;
    iopsTotal.add(operations);
    (read ? iopsRead : iopsWrite).add(operations);
    bpsTotal.add(bytes);
    (read ? bpsRead : bpsWrite).add(bytes);
  }

  private void leak(long nowNs) {
    long elapsedNs = nowNs - leakedNs;
    if (elapsedNs <= 0) {
      return;
    }
    leakedNs = nowNs;
    iopsTotal.leak(elapsedNs);
    iopsRead.leak(elapsedNs);
    iopsWrite.leak(elapsedNs);
    bpsTotal.leak(elapsedNs);
    bpsRead.leak(elapsedNs);
    bpsWrite.leak(elapsedNs);
  }
}
