// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.graph.BlockRequest.Operation;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The front end with {@code qemu-storage-daemon} behind it. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontEndTest {
  private static final int MIB = 1 << 20;

  @TempDir Path folder;

  private Path image;
  private Path socket;

  @BeforeEach
  void makeImage() throws Exception {
    image = folder.resolve("disk.raw");
    socket = folder.resolve("socket");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(16 * MIB);
    }
  }

  private QemuStorageDaemon serve(String export) throws Exception {
    return new QemuStorageDaemon(
        socket, "driver=file,discard=unmap,filename=" + image, "writable=on," + export);
  }

  private FrontEndFixture open(String options, int threads) throws Exception {
    return new FrontEndFixture(
        "driver=virtio-blk-vhost-user,node-name=disk,path=" + socket + options, threads);
  }

  @Test
  void readsAndWritesAnyLength() throws Exception {
    Random random = new Random(1);
    byte[] model = new byte[16 * MIB];
    try (QemuStorageDaemon daemon = serve("num-queues=1");
        FrontEndFixture disk = open("", 1)) {
      assertEquals(16 * MIB, disk.node.length());
      int[] lengths = {512, 1024, 4096, 4608, 65536, 131_072, 131_584, 300_032, MIB, 3 * MIB + 512};
      for (int round = 0; round < 40; round++) {
        int length = lengths[round % lengths.length];
        int offset = random.nextInt((model.length - length) / 512) * 512;
        byte[] data = new byte[length];
        random.nextBytes(data);
        assertEquals(0, disk.write(0, offset, FrontEndFixture.bytes(data)));
        System.arraycopy(data, 0, model, offset, length);
        int from = random.nextInt((model.length - length) / 512) * 512;
        MemorySegment read = Arena.ofAuto().allocate(length);
        assertEquals(0, disk.read(0, from, read));
        assertArrayEquals(
            Arrays.copyOfRange(model, from, from + length), read.toArray(ValueLayout.JAVA_BYTE));
      }
      assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
    }
    assertArrayEquals(model, Files.readAllBytes(image));
  }

  @Test
  void zeroesAndDiscards() throws Exception {
    byte[] data = new byte[4 * MIB];
    Arrays.fill(data, (byte) 0x5a);
    try (QemuStorageDaemon daemon = serve("num-queues=1");
        FrontEndFixture disk = open("", 1)) {
      assertEquals(0, disk.write(0, MIB, FrontEndFixture.bytes(data)));
      assertEquals(0, disk.run(0, Operation.WRITE_ZEROES, 2 * MIB, 64 << 10));
      assertEquals(0, disk.run(0, Operation.DISCARD, 3 * MIB, MIB));
      assertEquals(0, disk.run(0, Operation.FLUSH, 0, 0));
    }
    QemuStorageDaemon.check(
        image,
        List.of(
            "read -P 0x5a 1M 1M",
            "read -P 0 2M 64k",
            "read -P 0x5a 2112k 960k",
            "read -P 0 3M 1M",
            "read -P 0x5a 4M 1M",
            "read -P 0 5M 1M"));
  }
}
