// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuTool;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clusters that are written in packed form are read by QEMU, and given up as others are. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PackedWritesTest {
  private static final int SIZE = 3_000_320;

  @TempDir private Path folder;

  /** Some of it repeats itself, near and far, some does not. */
  private static byte[] data(Random random) {
    byte[] data = new byte[SIZE];
    for (int at = 0; at < SIZE; ) {
      int length = Math.min(SIZE - at, 1 + random.nextInt(3000));
      int kind = random.nextInt(8);
      for (int i = 0; i < length; i++) {
        data[at + i] =
            switch (kind) {
              case 0 -> (byte) random.nextInt();
              case 1, 2 -> at + i < 60_000 ? 1 : data[at + i - 50_000];
              case 3, 4 -> (byte) (i % 7);
              default -> (byte) random.nextInt(3);
            };
      }
      at += length;
    }
    return data;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=65536",
        "cluster_size=65536,compression_type=zstd",
        "cluster_size=4096,refcount_bits=2",
        "cluster_size=512",
        "cluster_size=4096,refcount_bits=1",
        "cluster_size=2M,compat=0.10",
        "cluster_size=65536,extended_l2=on,compression_type=zstd"
      })
  void qemuReadsThem(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, SIZE);
    Random random = new Random(9);
    byte[] model = data(random);
    try (Disk disk =
            new Disk(
                "driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.filename="
                    + file);
        Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(SIZE, 4096);
      MemorySegment.copy(model, 0, memory, ValueLayout.JAVA_BYTE, 0, SIZE);
      List<TestRequest> sent = new ArrayList<>();
      int piece = options.contains("2M") ? 2 << 20 : 1 << 18;
      for (int at = 0; at < SIZE; at += piece) {
        int length = Math.min(piece, SIZE - at);
        TestRequest write = TestRequest.transfer(Operation.WRITE, at, memory.asSlice(at, length));
        write.mayPack = true;
        disk.lane().context().execute(() -> disk.lane().submit(write));
        sent.add(write);
      }
      sent.forEach(write -> assertEquals(0, write.result.join()));
      MemorySegment read = arena.allocate(SIZE, 4096);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, read)));
      assertArrayEquals(model, read.toArray(ValueLayout.JAVA_BYTE));
    }
    String found = QemuTool.run("qemu-img", "check", "-f", "qcow2", file.toString());
    assertTrue(!found.contains(" 0.00% compressed"), found);
    assertArrayEquals(model, QemuImg.contents(file));
    changes(file, model, random);
  }

  /** Overwritten, given up, kept in snapshots, and packed again. */
  private static void changes(Path file, byte[] model, Random random) throws Exception {
    MemoryStorage storage = MemoryStorage.of(file);
    OpenedImage image = OpenedImage.writable(storage);
    int cluster = image.image.geometry().clusterSize();
    boolean counts = image.image.geometry().refcountOrder() > 1;
    for (int i = 0; i < 60; i++) {
      int length = (1 + random.nextInt(60)) * 512;
      int offset = random.nextInt((SIZE - length) / 512) * 512;
      if (random.nextBoolean()) {
        byte[] data = new byte[length];
        random.nextBytes(data);
        image.write(offset, data);
        System.arraycopy(data, 0, model, offset, length);
      } else {
        image.writer.zero(image.io, offset, length, true);
        Arrays.fill(model, offset, offset + length, (byte) 0);
      }
      if (i == 20 && counts && cluster > 512) {
        new InternalSnapshots(image.image, image.io).create("s", Instant.EPOCH);
      }
      if (i % 7 == 0) {
        image.image.flush(image.io);
        int start = random.nextInt(SIZE / cluster) * cluster;
        byte[] again = new byte[Math.min(cluster, SIZE - start)];
        Arrays.fill(again, (byte) i);
        image.writePacked(start, again);
        System.arraycopy(again, 0, model, start, again.length);
      }
      if (i == 50 && !image.image.snapshots().isEmpty()) {
        new InternalSnapshots(image.image, image.io).delete("1");
      }
    }
    assertArrayEquals(model, image.all());
    image.settle();
    storage.save(file);
    QemuImg.check(file);
    assertArrayEquals(model, QemuImg.contents(file));
  }
}
