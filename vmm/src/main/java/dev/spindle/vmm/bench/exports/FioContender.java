// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.FioPeer;
import dev.spindle.vmm.bench.Workload;
import dev.spindle.vmm.guest.FioResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalDouble;

/** fio on the file itself, without a server. */
record FioContender(Path file) implements Contender {
  @Override
  public String title() {
    return "fio on the file";
  }

  @Override
  public Showing run(Workload workload, int seconds) throws IOException, InterruptedException {
    FioResult result = FioPeer.onFile(file).run(workload, seconds);
    return new Showing(
        result.iops(), result.medianLatencyUs(), result.p99LatencyUs(), OptionalDouble.empty());
  }

  @Override
  public void close() {}
}
