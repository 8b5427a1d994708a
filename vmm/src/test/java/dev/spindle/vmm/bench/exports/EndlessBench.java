// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Remains;
import dev.spindle.vmm.bench.Workload;
import dev.spindle.vmm.bench.Workload.Access;
import java.nio.file.Path;

/** A benchmark with a server, a client that is a program, and files, until a signal ends it. */
public final class EndlessBench {
  private EndlessBench() {}

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    try (Contender served =
        new ServedContender(
            ServerProgram.QEMU_STORAGE_DAEMON,
            Protocol.NBD,
            ServedDisk.NULL,
            1,
            Path.of("unused"))) {
      served.run(new Workload(Access.RANDRW, 4096, 1), 100_000);
    } finally {
      Remains.awaitEnd();
    }
  }
}
