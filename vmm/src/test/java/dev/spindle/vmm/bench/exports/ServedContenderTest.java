// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.bench.Workload;
import dev.spindle.vmm.bench.Workload.Access;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ServedContenderTest {
  @TempDir private Path folder;

  /** Requests are answered, and what they took adds up to the time that was given. */
  @ParameterizedTest
  @EnumSource
  void aServerIsDrivenForAWhile(Protocol protocol) throws Exception {
    Workload workload = new Workload(Access.RANDRW, 4096, 4);
    try (Contender served =
        new ServedContender(
            ServerProgram.QEMU_STORAGE_DAEMON, protocol, ServedDisk.NULL, 1, Path.of("unused"))) {
      Showing showing = served.run(workload, 1);
      assertTrue(showing.iops() > 0, showing::toString);
      assertTrue(showing.medianUs() <= showing.p99Us(), showing::toString);
      // Four at a time: half of them take no longer than the median.
      assertTrue(showing.iops() * showing.medianUs() / 1e6 <= 2 * 4, showing::toString);
      assertTrue(showing.cpuUs().orElseThrow() > 0, showing::toString);
    }
  }

  @Test
  void aServerThatCannotServeIsQuoted() {
    Path missing = folder.resolve("missing.raw");
    String message =
        assertThrows(
                IOException.class,
                () ->
                    new ServedContender(
                        ServerProgram.QEMU_STORAGE_DAEMON,
                        Protocol.NBD,
                        ServedDisk.CACHED,
                        1,
                        missing))
            .getMessage();
    assertTrue(message.startsWith("qemu-storage-daemon ended with status 1: "), message);
    assertTrue(message.contains("No such file or directory"), message);
  }
}
