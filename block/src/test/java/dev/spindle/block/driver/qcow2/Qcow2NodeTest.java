// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static dev.spindle.block.graph.BlockRequest.Operation.FLUSH;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images as nodes of the graph. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class Qcow2NodeTest {
  private static final int SIZE = 6 << 20;

  @TempDir private Path folder;

  private static String image(Path file) {
    return "driver=qcow2,read-only=on,file.driver=file,file.read-only=on,file.filename=" + file;
  }

  private static void fill(Path file, int seed) throws Exception {
    Random random = new Random(seed);
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int length = (1 + random.nextInt(300)) * 512;
      int offset = random.nextInt((SIZE - length) / 512) * 512;
      commands.add(
          i % 4 == 3
              ? "write -z %d %d".formatted(offset, length)
              : "write -P %d %d %d".formatted(seed + i, offset, length));
    }
    QemuImg.io(file, commands);
  }

  private static void readsAre(byte[] expected, Disk disk) {
    Random random = new Random(3);
    try (Arena arena = Arena.ofShared()) {
      for (int i = 0; i < 600; i++) {
        int length = (1 + random.nextInt(i % 3 == 0 ? 400 : 8)) * 512;
        int offset = random.nextInt((SIZE - length) / 512 + 1) * 512;
        MemorySegment buffer = arena.allocate(length, 4096).fill((byte) 0xee);
        assertEquals(
            0,
            disk.run(
                TestRequest.transfer(READ, offset, buffer.asSlice(0, 512), buffer.asSlice(512))));
        assertArrayEquals(
            Arrays.copyOfRange(expected, offset, offset + length),
            buffer.toArray(ValueLayout.JAVA_BYTE));
      }
    }
    assertEquals(0, disk.run(TestRequest.range(FLUSH, 0, 0)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cluster_size=65536", "cluster_size=512", "cluster_size=65536,extended_l2=on"})
  void readsWhatQemuWrote(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, SIZE);
    fill(file, 20);
    try (Disk disk = new Disk(image(file))) {
      readsAre(QemuImg.contents(file), disk);
    }
  }

  @Test
  void readsThroughABackingFileThatIsShorter() throws Exception {
    Path base = folder.resolve("base.qcow2");
    QemuImg.create(base, "", SIZE);
    fill(base, 40);
    QemuTool.run("qemu-img", "resize", "-q", "--shrink", base.toString(), "4194816");
    Path top = folder.resolve("top.qcow2");
    QemuImg.create(top, "backing_fmt=qcow2,backing_file=" + base, SIZE);
    fill(top, 60);
    byte[] expected = QemuImg.contents(top);
    String backing = image(base).replaceAll("(^|,)", "$1backing.");
    try (Disk disk = new Disk(image(top) + "," + backing)) {
      readsAre(expected, disk);
    }
    try (Disk disk = new Disk(image(top))) {
      readsAre(expected, disk);
    }
    Files.move(base, folder.resolve("elsewhere"));
    BlockException refusal = assertThrows(BlockException.class, () -> new Disk(image(top)));
    assertTrue(refusal.getMessage().contains(base.toString()), refusal.getMessage());
  }

  @Test
  void readsCompressedClusters() throws Exception {
    Path raw = folder.resolve("image.raw");
    byte[] data = new byte[SIZE];
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) (i / 999);
    }
    Files.write(raw, data);
    Path file = folder.resolve("image.qcow2");
    QemuTool.run(
        "qemu-img", "convert", "-c", "-O", "qcow2", "-f", "raw", raw.toString(), file.toString());
    try (Disk disk = new Disk(image(file))) {
      readsAre(data, disk);
    }
  }
}
