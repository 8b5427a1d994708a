// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Spindle and QEMU change one image in turn, and both see what a byte array says. */
class BothWaysTest {
  private static final int ROUNDS = 3;
  private static final int REQUESTS = 40;

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cluster_size=65536 | 4194304 | 1",
        "compat=0.10 | 3000320 | 2",
        "cluster_size=512,refcount_bits=64 | 1000448 | 3",
        "cluster_size=4096,refcount_bits=1 | 3000320 | 4",
        "cluster_size=2M,lazy_refcounts=on | 9437184 | 5",
        "cluster_size=65536,extended_l2=on | 4198912 | 6",
        "cluster_size=16384,extended_l2=on,refcount_bits=4 | 2000384 | 7",
        "cluster_size=1024,refcount_bits=2,compat=1.1 | 700416 | 8"
      })
  void bothSeeTheSame(String options, int size, long seed) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, size);
    byte[] model = new byte[size];
    Random random = new Random(seed);
    for (int round = 0; round < ROUNDS; round++) {
      MemoryStorage storage = MemoryStorage.of(file);
      OpenedImage image = OpenedImage.writable(storage);
      assertArrayEquals(model, image.all());
      for (int i = 0; i < REQUESTS; i++) {
        change(image, model, random);
      }
      assertArrayEquals(model, image.all());
      image.settle();
      storage.save(file);
      QemuImg.check(file);
      assertArrayEquals(model, QemuImg.contents(file));
      QemuImg.io(file, commands(model, random));
      assertArrayEquals(model, QemuImg.contents(file));
    }
  }

  private static void change(OpenedImage image, byte[] model, Random random) throws Qcow2Exception {
    int unit = random.nextInt(3) == 0 ? image.image.geometry().clusterSize() : 512;
    int most = Math.min(200_000, model.length / 2) / unit + 1;
    int length = Math.min(model.length / 512 * 512, (1 + random.nextInt(most)) * unit);
    int offset = random.nextInt((model.length - length) / unit + 1) * unit;
    if (random.nextInt(8) == 0) {
      offset = model.length - length;
    }
    switch (random.nextInt(6)) {
      case 0, 1, 2 -> {
        byte[] data = new byte[length];
        random.nextBytes(data);
        image.write(offset, data);
        System.arraycopy(data, 0, model, offset, length);
      }
      case 3 -> {
        image.writer.zero(image.io, offset, length, random.nextBoolean());
        Arrays.fill(model, offset, offset + length, (byte) 0);
      }
      case 4 -> {
        image.writer.discard(image.io, offset, length);
        int size = image.image.geometry().clusterSize();
        int from = (offset + size - 1) / size * size;
        int end = offset + length;
        int to = end == model.length ? end : end / size * size;
        if (from < to) {
          Arrays.fill(model, from, to, (byte) 0);
        }
      }
      default -> image.image.flush(image.io);
    }
  }

  private static List<String> commands(byte[] model, Random random) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int length = (1 + random.nextInt(200)) * 512;
      int offset = random.nextInt((model.length - length) / 512 + 1) * 512;
      int value = 1 + random.nextInt(255);
      boolean zeroes = random.nextInt(3) == 0;
      String unmap = random.nextBoolean() ? "-u " : "";
      commands.add(
          zeroes
              ? "write -z %s%d %d".formatted(unmap, offset, length)
              : "write -P %d %d %d".formatted(value, offset, length));
      Arrays.fill(model, offset, offset + length, (byte) (zeroes ? 0 : value));
    }
    return commands;
  }
}
