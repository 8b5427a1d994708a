// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import dev.spindle.vmm.json.Json;
import dev.spindle.vmm.json.Json.JsonArray;
import dev.spindle.vmm.json.Json.JsonNumber;
import dev.spindle.vmm.json.Json.JsonObject;
import java.io.IOException;

/**
 * The figures of one fio run, from the JSON document that fio writes (its version 3), reads and
 * writes together.
 *
 * @param iops requests a second
 * @param meanLatencyUs mean completion latency in microseconds
 * @param p99LatencyUs 99th percentile of the completion latency in microseconds, of the slower of
 *     reads and writes
 * @param errors requests that failed
 */
public record FioResult(double iops, double meanLatencyUs, double p99LatencyUs, long errors) {
  /** Reads fio's document. */
  public static FioResult from(Json document) throws IOException {
    double iops = 0;
    double weightedLatency = 0;
    double p99 = 0;
    long errors = 0;
    if (!(member(document, "jobs") instanceof JsonArray(var jobs))) {
      throw new IOException("fio's result has no jobs");
    }
    for (Json job : jobs) {
      errors += (long) number(job, "total_err");
      for (String direction : new String[] {"read", "write", "trim"}) {
        Json side = member(job, direction);
        double sideIops = number(side, "iops");
        Json latency = member(side, "clat_ns");
        iops += sideIops;
        weightedLatency += sideIops * number(latency, "mean");
        if (member(latency, "percentile") instanceof JsonObject percentiles) {
          p99 = Math.max(p99, number(percentiles, "99.000000"));
        }
      }
    }
    double mean = iops > 0 ? weightedLatency / iops : 0;
    return new FioResult(iops, mean / 1000, p99 / 1000, errors);
  }

  private static Json member(Json value, String name) {
    return value instanceof JsonObject object
        ? object.get(name).orElse(new Json.JsonNull())
        : new Json.JsonNull();
  }

  private static double number(Json value, String name) {
    return member(value, name) instanceof JsonNumber(var number) ? number.doubleValue() : 0;
  }
}
