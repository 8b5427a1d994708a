// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.driver.AllocationWatch;
import dev.spindle.block.driver.Disk;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests on their usual way leave nothing for the garbage collector. */
@Timeout(300)
class NbdAllocationTest {
  @TempDir Path directory;

  @Test
  void requestsAllocateNothing() throws Exception {
    try (NbdPeer server = NbdPeer.nbdkit(directory, "memory", "64M");
        Disk disk = new Disk(server.node(""))) {
      AllocationWatch.awaitNoAllocation(disk);
    }
  }
}
