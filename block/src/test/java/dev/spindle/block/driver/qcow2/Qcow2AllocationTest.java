// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.AllocationWatch;
import dev.spindle.block.driver.Disk;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests to clusters that there are leave nothing for the garbage collector. */
@Timeout(300)
class Qcow2AllocationTest {
  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=65536", "cluster_size=65536,extended_l2=on"})
  void requestsAllocateNothing(String options) throws Exception {
    Path file = directory.resolve("image.qcow2");
    QemuImg.create(file, options, 8 << 20);
    QemuImg.io(file, List.of("write -P 1 0 8M"));
    try (Disk disk = new Disk("driver=qcow2,file.driver=file,file.filename=" + file)) {
      AllocationWatch.awaitNoAllocation(disk);
    }
  }
}
