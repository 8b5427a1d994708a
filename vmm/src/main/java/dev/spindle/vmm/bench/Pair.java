// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Two ways of doing the same, measured in turns: what one costs beside the other. */
final class Pair {
  /** One run of one of them. */
  @FunctionalInterface
  interface Side {
    RequestPump.Run run(long forNs);
  }

  private final List<Double> first = new ArrayList<>();
  private final List<Double> second = new ArrayList<>();
  private final List<Double> ratios = new ArrayList<>();
  private final List<Double> allocated = new ArrayList<>();

  static void printHeader(PrintWriter out, String firstName, String secondName) {
    out.printf(
        "%-34s %12s %20s %7s  %s%n",
        "nanoseconds/request", firstName, secondName, "ratio", "bytes allocated");
    out.flush();
  }

  /** Runs both, as often as {@code rounds} says, after a run of each that does not count. */
  Pair(Side one, Side other, int rounds, long forNs) {
    one.run(forNs);
    other.run(forNs);
    for (int round = 0; round < rounds; round++) {
      // Who goes first takes turns as well.
      boolean inOrder = round % 2 == 0;
      RequestPump.Run early = (inOrder ? one : other).run(forNs);
      RequestPump.Run late = (inOrder ? other : one).run(forNs);
      RequestPump.Run ofOne = inOrder ? early : late;
      RequestPump.Run ofOther = inOrder ? late : early;
      first.add(ofOne.nsPerRequest());
      second.add(ofOther.nsPerRequest());
      ratios.add(ofOther.nsPerRequest() / ofOne.nsPerRequest());
      allocated.add(ofOther.allocatedBytesPerRequest());
    }
  }

  /** Prints the medians. */
  void print(PrintWriter out, String name) {
    out.println(
        String.format(
            Locale.ROOT,
            "%-34s %12.1f %20.1f %7.3f  %.3f",
            name,
            Median.of(first),
            Median.of(second),
            Median.of(ratios),
            Median.of(allocated)));
    out.flush();
  }
}
