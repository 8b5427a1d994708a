// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE_ZEROES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The project's own client at its own server: the only pair here that has extended headers. */
@Timeout(300)
class BothEndsTest {
  @TempDir Path directory;

  private Path image(long size) throws Exception {
    return Disk.image(directory, size);
  }

  private static String client(NbdDisk server) {
    return "driver=nbd,node-name=c,discard=unmap,server.type=unix,export="
        + "disk"
        + ",server.path="
        + server.path;
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ",cache.direct=on"})
  void keepsWhatIsWritten(String cache) throws Exception {
    Path image = image(1 << 20);
    byte[] model;
    try (NbdDisk server =
            new NbdDisk(
                directory, "driver=file,discard=unmap,node-name=d,filename=" + image + cache);
        Disk disk = new Disk(client(server))) {
      model = RandomRequests.run(disk, 1 << 20);
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  @Test
  void zeroesMoreThanACompactHeaderCanSay() throws Exception {
    long size = 6L << 30;
    try (NbdDisk server =
            new NbdDisk(
                directory, "driver=file,discard=unmap,node-name=d,filename=" + image(size));
        Disk disk = new Disk(client(server));
        Arena arena = Arena.ofShared()) {
      MemorySegment data = arena.allocate(40 << 20, 4096).fill((byte) 7);
      assertEquals(0, disk.run(TestRequest.transfer(WRITE, size - data.byteSize(), data)));
      MemorySegment read = arena.allocate(40 << 20, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(READ, size - data.byteSize(), read)));
      assertEquals(-1, data.mismatch(read));
      TestRequest zeroes = TestRequest.range(WRITE_ZEROES, 0, size);
      zeroes.mayUnmap = true;
      assertEquals(0, disk.run(zeroes));
      assertEquals(0, disk.run(TestRequest.transfer(READ, size - data.byteSize(), read)));
      assertEquals(-1, read.mismatch(arena.allocate(40 << 20)));
    }
  }
}
