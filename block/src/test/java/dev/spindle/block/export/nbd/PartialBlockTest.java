// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk that ends within a block of its node. */
@Timeout(60)
class PartialBlockTest {
  @TempDir Path directory;

  @Test
  void ourOwnClientReadsItsEnd() throws Exception {
    Path image = Disk.image(directory, 8192 + 512);
    try (NbdDisk server =
            new NbdDisk(
                directory,
                "driver=blkdebug,align=4096,node-name=d,image.driver=file,image.filename="
                    + image);
        Disk disk =
            new Disk(
                "driver=nbd,node-name=c,server.type=unix,export=disk,server.path=" + server.path);
        Arena arena = Arena.ofShared()) {
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 8192, arena.allocate(512))));
    }
  }
}
