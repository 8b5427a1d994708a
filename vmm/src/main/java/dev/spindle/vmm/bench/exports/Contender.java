// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Workload;
import java.io.IOException;

/** What is measured in turns with others. One thread at a time. */
interface Contender extends AutoCloseable {
  /** How the table names it. */
  String title();

  /** Runs a workload for a while. */
  Showing run(Workload workload, int seconds) throws IOException, InterruptedException;

  @Override
  void close() throws IOException;
}
