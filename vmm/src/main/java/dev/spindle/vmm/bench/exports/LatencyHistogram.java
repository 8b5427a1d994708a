// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import java.util.Arrays;

/**
 * How often which time was seen: counts in steps of 1/64 of the time, so that recording allocates
 * nothing. One thread at a time.
 */
final class LatencyHistogram {
  /** Counts for each power of two. */
  private static final int STEP_BITS = 6;

  private static final int STEPS = 1 << STEP_BITS;

  private final long[] counts = new long[(Long.SIZE - STEP_BITS) * STEPS];
  private long total;

  /**
   * Counts a time.
   *
   * @param ns not negative
   */
  void record(long ns) {
    counts[indexOf(ns)]++;
    total++;
  }

  /** How many times were counted. */
  long total() {
    return total;
  }

  void clear() {
    Arrays.fill(counts, 0);
    total = 0;
  }

  /** Counts what another has counted, too. */
  void add(LatencyHistogram other) {
    for (int index = 0; index < counts.length; index++) {
      counts[index] += other.counts[index];
    }
    total += other.total;
  }

  /**
   * The time that a share of all does not exceed, in nanoseconds, at most 1/64 too long; 0 of none.
   *
   * @param share 0 to 1
   */
  long percentile(double share) {
    long rank = Math.max(1, (long) Math.ceil(share * total));
    long seen = 0;
    for (int index = 0; index < counts.length; index++) {
      seen += counts[index];
      if (seen >= rank) {
        return highestOf(index);
      }
    }
    return 0;
  }

  /** Times below {@value #STEPS} ns each have a count, those above share one with their like. */
  private static int indexOf(long ns) {
    int shift = Math.max(0, Long.SIZE - STEP_BITS - 1 - Long.numberOfLeadingZeros(ns | 1));
    return shift * STEPS + (int) (ns >>> shift);
  }

  private static long highestOf(int index) {
    int shift = Math.max(0, index / STEPS - 1);
    long step = index - (long) shift * STEPS;
    return ((step + 1) << shift) - 1;
  }
}
