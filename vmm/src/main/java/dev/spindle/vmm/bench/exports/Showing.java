// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Median;
import java.util.List;
import java.util.OptionalDouble;

/**
 * What one run, or the medians of several, showed.
 *
 * @param iops requests a second
 * @param medianUs median latency of a request in microseconds
 * @param p99Us 99th percentile of the latency in microseconds
 * @param cpuUs processor time of the server for a request in microseconds, if there is a server
 */
record Showing(double iops, double medianUs, double p99Us, OptionalDouble cpuUs) {
  /** The median of each figure. */
  static Showing medianOf(List<Showing> runs) {
    return new Showing(
        median(runs.stream().map(Showing::iops).toList()),
        median(runs.stream().map(Showing::medianUs).toList()),
        median(runs.stream().map(Showing::p99Us).toList()),
        runs.getFirst().cpuUs.isPresent()
            ? OptionalDouble.of(median(runs.stream().map(r -> r.cpuUs.orElseThrow()).toList()))
            : OptionalDouble.empty());
  }

  private static double median(List<Double> values) {
    return Median.of(values);
  }
}
