// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import static dev.spindle.block.graph.BlockRequest.Operation.DISCARD;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE_ZEROES;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.linux.Errno;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileNodeTest {
  private static final int SIZE = 1 << 20;

  private Path image;

  @BeforeEach
  void makeImage() throws IOException {
    // Not in /tmp: a tmpfs there might not take O_DIRECT.
    image = Files.createTempFile(Path.of("target"), "image", ".raw");
    image.toFile().deleteOnExit();
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(SIZE);
    }
  }

  private String node(String more) {
    return "driver=file,node-name=disk,filename=" + image + more;
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ",cache.direct=on", ",cache.direct=on,discard=unmap"})
  void behavesAsAnArrayOfBytes(String cache) throws Exception {
    byte[] model;
    try (Disk disk = new Disk(node(cache))) {
      model = RandomRequests.run(disk, SIZE);
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  @Test
  void aLastPartialSectorReadsAsZeroes() throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(1000);
      file.write(new byte[] {7, 7});
    }
    for (String cache : new String[] {"", ",cache.direct=on"}) {
      try (Disk disk = new Disk(node(cache));
          Arena arena = Arena.ofShared()) {
        assertEquals(1024, disk.node.length());
        MemorySegment buffer = arena.allocate(1024, 4096).fill((byte) 0x55);
        assertEquals(0, disk.run(TestRequest.transfer(READ, 0, buffer)));
        byte[] expected = new byte[1024];
        expected[0] = 7;
        expected[1] = 7;
        assertArrayEquals(expected, buffer.toArray(ValueLayout.JAVA_BYTE));
      }
    }
    assertEquals(1000, Files.size(image), "reading must not change the image");
  }

  @Test
  void refusesWhatLiesOutsideOrMayNotBeWritten() throws Exception {
    try (Disk disk = new Disk(node(",read-only=on"));
        Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(1024, 4096);
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, SIZE - 512, buffer)));
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, Long.MAX_VALUE - 511, buffer)));
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, -512, buffer)));
      assertEquals(-Errno.EPERM, disk.run(TestRequest.transfer(WRITE, 0, buffer)));
      assertEquals(-Errno.EPERM, disk.run(TestRequest.range(WRITE_ZEROES, 0, 512)));
    }
  }

  @Test
  void discardFreesStorageOnlyWhenAsked() throws Exception {
    for (boolean unmap : new boolean[] {false, true}) {
      Files.write(image, new byte[SIZE]);
      try (Disk disk = new Disk(node(unmap ? ",discard=unmap" : ""))) {
        long before = blocks();
        assertEquals(0, disk.run(TestRequest.range(DISCARD, 0, SIZE)));
        assertEquals(unmap, blocks() < before, "discard=" + unmap);
      }
    }
  }

  private long blocks() throws IOException {
    Process du = new ProcessBuilder("stat", "-c", "%b", image.toString()).start();
    return Long.parseLong(new String(du.getInputStream().readAllBytes(), UTF_8).trim());
  }

  /** A write of one half of a block reads and writes the whole block, around the zeroes too. */
  @Test
  void zeroesAndAWriteInOneBlockDoNotUndoEachOther() throws Exception {
    try (Disk disk = new Disk(node(",cache.direct=on"));
        Arena arena = Arena.ofShared()) {
      int block = disk.node.limits().requestAlignment();
      int half = block / 2;
      MemorySegment ones = arena.allocate(block, 4096).fill((byte) 1);
      byte[] expected = new byte[block];
      java.util.Arrays.fill(expected, half, block, (byte) 2);
      for (int round = 0; round < 200; round++) {
        assertEquals(0, disk.run(TestRequest.transfer(WRITE, 0, ones)));
        MemorySegment twos = arena.allocate(half, 4096).fill((byte) 2);
        TestRequest write = TestRequest.transfer(WRITE, half, twos);
        TestRequest zeroes = TestRequest.range(WRITE_ZEROES, 0, half);
        disk.lane()
            .context()
            .execute(
                () -> {
                  disk.lane().submit(write);
                  disk.lane().submit(zeroes);
                });
        assertEquals(0, write.result.join());
        assertEquals(0, zeroes.result.join());
        MemorySegment read = arena.allocate(block, 4096);
        assertEquals(0, disk.run(TestRequest.transfer(READ, 0, read)));
        assertArrayEquals(expected, read.toArray(ValueLayout.JAVA_BYTE), "round " + round);
      }
    }
  }

  @Test
  void aDiscardKeepsPartsOfBlocks() throws Exception {
    byte[] before = new byte[SIZE];
    java.util.Arrays.fill(before, (byte) 1);
    Files.write(image, before);
    try (Disk disk = new Disk(node(",cache.direct=on,discard=unmap"))) {
      int block = disk.node.limits().requestAlignment();
      assertEquals(0, disk.run(TestRequest.range(DISCARD, 0, 0)), "nothing");
      assertEquals(0, disk.run(TestRequest.range(DISCARD, 1, block - 2)), "within a block");
      assertEquals(0, disk.run(TestRequest.range(DISCARD, 1, 4L * block)));
      byte[] expected = before.clone();
      java.util.Arrays.fill(expected, block, 4 * block, (byte) 0);
      assertArrayEquals(expected, Files.readAllBytes(image));
    }
  }

  /** The kernel refuses to punch a hole of no length. */
  @ParameterizedTest
  @ValueSource(strings = {"", ",discard=unmap"})
  void nothingIsDoneToNothing(String options) throws Exception {
    try (Disk disk = new Disk(node(options))) {
      assertEquals(0, disk.run(TestRequest.range(DISCARD, 512, 0)));
      assertEquals(0, disk.run(TestRequest.range(WRITE_ZEROES, 512, 0)));
    }
  }
}
