// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How often a device's queues have been moved to another iothread and how long that held I/O back:
 * from the moment the first queue was told to stop until the last had started again. Nanoseconds.
 * Any thread.
 */
public final class MoveStats {
  /** Between the bins of {@link #histogram}, in nanoseconds. */
  private static final long[] BOUNDARIES = {
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000
  };

  private final long[] bins = new long[BOUNDARIES.length + 1];
  private long moves;
  private long longestHoldNs;
  private long totalHoldNs;

  /**
   * A move is about to end.
   *
   * @param stoppedAtNs when the first queue was told to stop
   * @param queues how many will start
   * @return to be called by each queue when it has; the last one ends the move
   */
  Runnable holdSince(long stoppedAtNs, int queues) {
    AtomicInteger waiting = new AtomicInteger(queues);
    return () -> {
      if (waiting.decrementAndGet() == 0) {
        moved(System.nanoTime() - stoppedAtNs);
      }
    };
  }

  private synchronized void moved(long holdNs) {
    moves++;
    bins[bin(holdNs)]++;
    totalHoldNs += holdNs;
    longestHoldNs = Math.max(longestHoldNs, holdNs);
  }

  private static int bin(long holdNs) {
    int bin = 0;
    while (bin < BOUNDARIES.length && holdNs >= BOUNDARIES[bin]) {
      bin++;
    }
    return bin;
  }

  /**
   * How long moves held I/O back, as QAPI's BlockLatencyHistogramInfo tells latencies.
   *
   * @param boundaries between bins, nanoseconds: what is as long belongs to the later bin
   * @param bins how many moves; one bin more than boundaries
   */
  public record Histogram(List<Long> boundaries, List<Long> bins) {}

  /** How many moves held I/O back for how long. */
  public synchronized Histogram histogram() {
    return new Histogram(
        Arrays.stream(BOUNDARIES).boxed().toList(), Arrays.stream(bins).boxed().toList());
  }

  /** Moves completed. */
  public synchronized long moves() {
    return moves;
  }

  /** The longest time a move held I/O back. */
  public synchronized long longestHoldNs() {
    return longestHoldNs;
  }

  /** All the time that moves held I/O back. */
  public synchronized long totalHoldNs() {
    return totalHoldNs;
  }
}
