// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.driver.AllocationWatch;
import dev.spindle.block.driver.Disk;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests to a file leave nothing for the garbage collector. */
@Timeout(300)
class FileAllocationTest {
  @TempDir Path directory;

  @Test
  void requestsAllocateNothing() throws Exception {
    Path file = Files.write(directory.resolve("image"), new byte[8 << 20]);
    try (Disk disk = new Disk("driver=file,filename=" + file)) {
      AllocationWatch.awaitNoAllocation(disk);
    }
  }
}
