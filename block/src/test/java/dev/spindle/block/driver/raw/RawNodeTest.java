// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RawNodeTest {
  private Path image;
  private final byte[] contents = new byte[64 << 10];

  @BeforeEach
  void makeImage() throws Exception {
    image = Files.createTempFile(Path.of("target"), "raw", ".raw");
    image.toFile().deleteOnExit();
    new Random(7).nextBytes(contents);
    Files.write(image, contents);
  }

  private String node(String window) {
    return "driver=raw,node-name=window,file.driver=file,file.filename=" + image + window;
  }

  @Test
  void aWindowShowsItsPartAndNothingElse() throws Exception {
    try (Disk disk = new Disk(node(",offset=8k,size=16k"));
        Arena arena = Arena.ofShared()) {
      assertEquals(16 << 10, disk.node.length());
      MemorySegment buffer = arena.allocate(4096, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 4096, buffer)));
      assertArrayEquals(
          java.util.Arrays.copyOfRange(contents, 12 << 10, 16 << 10),
          buffer.toArray(ValueLayout.JAVA_BYTE));
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(Operation.READ, 14 << 10, buffer)));
      assertEquals(0, disk.run(TestRequest.range(Operation.WRITE_ZEROES, 0, 512)));
    }
    byte[] after = Files.readAllBytes(image);
    java.util.Arrays.fill(contents, 8 << 10, (8 << 10) + 512, (byte) 0);
    assertArrayEquals(contents, after);
  }

  @Test
  void aWindowBeyondTheFileIsRefused() {
    for (String window : new String[] {",offset=64k,size=512", ",offset=1M", ",size=65k"}) {
      Exception refusal = assertThrows(Exception.class, () -> new Disk(node(window)).close());
      assertTrue(refusal.getMessage().contains("actual size"), refusal.getMessage());
    }
    assertThrows(Exception.class, () -> new Disk(node(",offset=100")).close());
  }
}
