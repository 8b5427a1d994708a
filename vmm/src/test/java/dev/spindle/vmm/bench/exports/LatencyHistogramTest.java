// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
  /** Of times of every magnitude, beside the sorted list of them. */
  @Test
  void percentilesAreThoseOfTheListToWithinOneStep() {
    SplittableRandom random = new SplittableRandom(7);
    LatencyHistogram histogram = new LatencyHistogram();
    long[] times = new long[100_000];
    for (int i = 0; i < times.length; i++) {
      times[i] = random.nextLong() >>> random.nextInt(1, Long.SIZE);
      histogram.record(times[i]);
    }
    Arrays.sort(times);
    for (double share : new double[] {0.0001, 0.1, 0.5, 0.9, 0.99, 1}) {
      long exact = times[Math.max(1, (int) Math.ceil(share * times.length)) - 1];
      long told = histogram.percentile(share);
      assertTrue(told >= exact && told - exact <= exact / 64, () -> exact + " and " + told);
    }
  }

  @Test
  void countsOfSeveralAddUp() {
    LatencyHistogram one = new LatencyHistogram();
    LatencyHistogram other = new LatencyHistogram();
    one.record(10);
    other.record(20);
    other.record(30);
    one.add(other);
    assertEquals(3, one.total());
    assertEquals(20, one.percentile(0.5));
    one.clear();
    assertEquals(0, one.total());
    assertEquals(0, one.percentile(0.5));
  }

  @Test
  void theShortestAndTheLongestTimeHavePlaces() {
    LatencyHistogram histogram = new LatencyHistogram();
    histogram.record(0);
    histogram.record(Long.MAX_VALUE);
    assertEquals(0, histogram.percentile(0.5));
    assertEquals(Long.MAX_VALUE, histogram.percentile(1));
  }
}
