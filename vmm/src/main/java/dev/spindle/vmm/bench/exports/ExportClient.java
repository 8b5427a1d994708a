// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Workload;
import java.io.IOException;

/** Sends requests to a server. One thread at a time. */
interface ExportClient extends AutoCloseable {
  /**
   * What a client saw.
   *
   * @param requests how many were answered
   * @param seconds how long that took
   * @param medianUs median latency in microseconds
   * @param p99Us 99th percentile of the latency in microseconds
   */
  record Seen(double requests, double seconds, double medianUs, double p99Us) {}

  /** Keeps a workload's requests in flight for a while. */
  Seen run(Workload workload, int seconds) throws IOException, InterruptedException;

  @Override
  void close() throws IOException;
}
