// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.demo;

import dev.spindle.vmm.guest.FioResult;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * What the demo has measured.
 *
 * @param kvm {@code host} or {@code nested}
 * @param without fio while the disk stayed where it was
 * @param with fio while the disk moved
 * @param verifyPassed whether fio read back, with the disk moving, what it had written
 * @param verifyErrors requests that failed while it did so
 * @param moves how often the disk moved while fio ran
 * @param longestHoldUs the longest time a move held I/O back, microseconds
 * @param meanHoldUs the mean of those times
 */
record DemoResult(
    String kvm,
    FioResult without,
    FioResult with,
    boolean verifyPassed,
    long verifyErrors,
    long moves,
    double longestHoldUs,
    double meanHoldUs) {

  long ioErrors() {
    return without.errors() + with.errors() + verifyErrors;
  }

  String verify() {
    return verifyPassed ? "passed" : "failed";
  }

  String json() {
    return JsonNodeFactory.instance
            .objectNode()
            .put("kvm", kvm)
            .put("io_errors", ioErrors())
            .put("verify", verify())
            .put("moves", moves)
            .put("longest_hold_us", tenths(longestHoldUs))
            .put("mean_hold_us", tenths(meanHoldUs))
            .put("iops_without_moves", tenths(without.iops()))
            .put("iops_with_moves", tenths(with.iops()))
            .put("latency_us_without_moves", tenths(without.meanLatencyUs()))
            .put("latency_us_with_moves", tenths(with.meanLatencyUs()))
            .put("p99_us_without_moves", tenths(without.p99LatencyUs()))
            .put("p99_us_with_moves", tenths(with.p99LatencyUs()))
        + "\n";
  }

  private static BigDecimal tenths(double value) {
    return BigDecimal.valueOf(value).setScale(1, RoundingMode.HALF_UP);
  }

  String table() {
    StringBuilder table = new StringBuilder();
    line(table, "", "disk stays", "disk moves");
    line(table, "IOPS (4 KiB random reads and writes)", "%.0f", without.iops(), with.iops());
    line(table, "mean latency, µs", "%.0f", without.meanLatencyUs(), with.meanLatencyUs());
    line(table, "99th percentile, µs", "%.0f", without.p99LatencyUs(), with.p99LatencyUs());
    table.append('\n');
    line(table, "moves between iothreads while fio ran", "", String.valueOf(moves));
    line(table, "longest time a move held I/O back, µs", "", round(longestHoldUs));
    line(table, "mean time a move held I/O back, µs", "", round(meanHoldUs));
    line(table, "I/O errors", "", String.valueOf(ioErrors()));
    line(table, "fio's data verification", "", verify());
    return table.toString();
  }

  private static void line(
      StringBuilder table, String what, String format, double first, double second) {
    line(
        table,
        what,
        String.format(Locale.ROOT, format, first),
        String.format(Locale.ROOT, format, second));
  }

  private static void line(StringBuilder table, String what, String first, String second) {
    table.append(String.format(Locale.ROOT, "  %-40s %12s %12s%n", what, first, second));
  }

  private static String round(double value) {
    return String.format(Locale.ROOT, "%.0f", value);
  }
}
