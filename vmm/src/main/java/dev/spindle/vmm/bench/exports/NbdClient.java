// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.FioPeer;
import dev.spindle.vmm.bench.Workload;
import dev.spindle.vmm.guest.FioResult;
import java.io.IOException;
import java.nio.file.Path;

/** fio's NBD engine, which connects anew for each run. */
record NbdClient(FioPeer fio) implements ExportClient {
  static NbdClient of(Path socket) {
    return new NbdClient(
        FioPeer.onNbd("nbd+unix:///" + ServerProgram.EXPORT + "?socket=" + socket));
  }

  @Override
  public Seen run(Workload workload, int seconds) throws IOException, InterruptedException {
    FioResult result = fio.run(workload, seconds);
    if (result.errors() != 0) {
      throw new IOException("fio counted " + result.errors() + " errors");
    }
    return new Seen(
        result.iops() * seconds, seconds, result.medianLatencyUs(), result.p99LatencyUs());
  }

  @Override
  public void close() {}
}
