// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import java.util.Arrays;
import java.util.Locale;

/** Many times in nanoseconds, and how they are spread. One thread at a time. */
final class Distribution {
  private static final double NS_PER_US = 1e3;

  private long[] times = new long[1024];
  private int count;
  private boolean sorted;

  void add(long ns) {
    if (count == times.length) {
      times = Arrays.copyOf(times, 2 * count);
    }
    times[count++] = ns;
    sorted = false;
  }

  int count() {
    return count;
  }

  /**
   * The time that a share of all do not exceed, in microseconds; of at least one.
   *
   * @param share 0 to 1
   */
  double microseconds(double share) {
    if (!sorted) {
      Arrays.sort(times, 0, count);
      sorted = true;
    }
    int rank = (int) Math.ceil(share * count);
    return times[Math.max(rank, 1) - 1] / NS_PER_US;
  }

  static String header(String what) {
    return String.format(
        "%-34s %9s %9s %9s %9s %9s", what, "number", "median", "p90", "p99", "longest");
  }

  String row(String name) {
    return String.format(
        Locale.ROOT,
        "%-34s %9d %9.1f %9.1f %9.1f %9.1f",
        name,
        count,
        microseconds(0.5),
        microseconds(0.9),
        microseconds(0.99),
        microseconds(1));
  }
}
