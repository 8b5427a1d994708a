// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import java.io.IOException;
import tools.jackson.databind.JsonNode;

/**
 * The figures of one fio run, from the JSON document that fio writes (its version 3), reads and
 * writes together.
 *
 * @param iops requests a second
 * @param meanLatencyUs mean completion latency in microseconds
 * @param medianLatencyUs median completion latency in microseconds, of the slower of reads and
 *     writes
 * @param p99LatencyUs 99th percentile of the completion latency in microseconds, of the slower of
 *     reads and writes
 * @param errors requests that failed
 */
public record FioResult(
    double iops, double meanLatencyUs, double medianLatencyUs, double p99LatencyUs, long errors) {
  /** Reads fio's document. */
  public static FioResult from(JsonNode document) throws IOException {
    double iops = 0;
    double weightedLatency = 0;
    double median = 0;
    double p99 = 0;
    long errors = 0;
    JsonNode jobs = document.path("jobs");
    if (!jobs.isArray()) {
      throw new IOException("fio's result has no jobs");
    }
    for (JsonNode job : jobs) {
      errors += job.path("total_err").longValue(0);
      for (String direction : new String[] {"read", "write", "trim"}) {
        JsonNode side = job.path(direction);
        double sideIops = side.path("iops").doubleValue(0);
        JsonNode latency = side.path("clat_ns");
        iops += sideIops;
        weightedLatency += sideIops * latency.path("mean").doubleValue(0);
        JsonNode percentile = latency.path("percentile");
        median = Math.max(median, percentile.path("50.000000").doubleValue(0));
        p99 = Math.max(p99, percentile.path("99.000000").doubleValue(0));
      }
    }
    double mean = iops > 0 ? weightedLatency / iops : 0;
    return new FioResult(iops, mean / 1000, median / 1000, p99 / 1000, errors);
  }
}
