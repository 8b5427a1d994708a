// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.QemuTool;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The check says what qemu-img check says, and mends what that then finds in order. */
class CheckTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=4096", "cluster_size=4096,refcount_bits=2"})
  void findsAndMendsWrongRefcounts(String options) throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, options, 1 << 20);
    QemuImg.io(file, List.of("write 0 64k", "write 256k 64k", "write 128k 4k"));
    Random random = new Random(5);
    MemoryStorage storage = MemoryStorage.of(file);
    OpenedImage image = OpenedImage.writable(storage);
    Refcounts refcounts = image.image.metadata().refcounts();
    for (int i = 0; i < 6; i++) {
      long cluster = 8L + random.nextInt(20);
      if (refcounts.get(storage, cluster) > 0) {
        refcounts.add(storage, cluster, 1, random.nextBoolean() ? 1 : -1);
      }
    }
    refcounts.write(storage);
    storage.save(file);
    OpenedImage wrong = OpenedImage.writable(storage);
    List<String> messages = new ArrayList<>();
    CheckResult found = ImageCheck.run(wrong.image, wrong.io, false, false, messages::add);
    String said = QemuTool.attempt("qemu-img", "check", "-f", "qcow2", file.toString()).output();
    assertTrue(found.leaks() > 0 && found.corruptions() > 0, messages::toString);
    for (String message : messages) {
      assertTrue(said.contains(message + "\n"), message + "\n not in:\n" + said);
    }
    assertEquals(
        said.lines().filter(line -> line.contains(" refcount=")).count(), messages.size(), said);
    String stats =
        "%d/%d = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters"
            .formatted(
                found.allocated(),
                found.clusters(),
                100.0 * found.allocated() / found.clusters(),
                100.0 * found.fragmented() / found.allocated(),
                100.0 * found.compressed() / found.allocated());
    ImageCheck.run(wrong.image, wrong.io, true, true, message -> {});
    storage.save(file);
    said = QemuTool.run("qemu-img", "check", "-f", "qcow2", file.toString());
    assertTrue(said.contains(stats), stats + "\n" + said);
  }

  /** What is wrong with the refcount table is in a word at a place in it. */
  @ParameterizedTest
  @CsvSource({
    "512,16,0,0",
    "512,16,1,0",
    "512,16,0,0x1000001",
    "512,16,1,0x10000000",
    "512,16,1,-512",
    "512,64,3,0",
    "1024,1,0,0",
    "4096,16,0,1"
  })
  void refcountsThatAreNowhereAreMadeAnew(int cluster, int bits, int entry, String word)
      throws Exception {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "cluster_size=%d,refcount_bits=%d".formatted(cluster, bits), 1 << 20);
    QemuImg.io(file, List.of("write -P 1 0 600k", "write -P 2 900k 4k"));
    if (bits > 1) {
      QemuTool.run("qemu-img", "snapshot", "-c", "one", file.toString());
      QemuImg.io(file, List.of("write -P 3 100k 4k"));
    }
    final byte[] contents = QemuImg.contents(file);
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer all = ByteBuffer.wrap(bytes);
    all.putLong((int) all.getLong(48) + 8 * entry, Long.decode(word));
    Files.write(file, bytes);
    MemoryStorage storage = MemoryStorage.of(file);
    OpenedImage image = OpenedImage.writable(storage);
    List<String> messages = new ArrayList<>();
    CheckResult before = ImageCheck.run(image.image, image.io, true, false, message -> {});
    assertTrue(before.corruptions() > 0);
    CheckResult found = ImageCheck.run(image.image, image.io, true, true, messages::add);
    assertEquals(0, found.corruptions() + found.leaks());
    assertTrue(messages.contains("Rebuilding refcount structure"), messages::toString);
    // What is there is known to be there, and written around.
    image.write(950 << 10, new byte[] {4, 5, 6});
    image.settle();
    Path mended = folder.resolve("mended.qcow2");
    storage.save(mended);
    QemuImg.check(mended);
    System.arraycopy(new byte[] {4, 5, 6}, 0, contents, 950 << 10, 3);
    assertArrayEquals(contents, QemuImg.contents(mended));
    if (word.length() > 1 && !word.endsWith("1")) {
      // A block past the end of the file is one that QEMU tries to save, and counts otherwise.
      return;
    }
    String said =
        QemuTool.attempt("qemu-img", "check", "-r", "all", "-f", "qcow2", file.toString()).output();
    assertTrue(said.contains(found.corruptionsFixed() + " corruptions"), found + "\n" + said);
  }

  @Test
  void compressedImagesAreCountedAndRead() throws Exception {
    Path raw = folder.resolve("image.raw");
    byte[] data = new byte[3 << 20];
    Random random = new Random(6);
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) (i / 65536 % 5 == 4 ? random.nextInt() : i / 7);
    }
    Files.write(raw, data);
    for (String options :
        List.of(
            "cluster_size=64k",
            "cluster_size=4k",
            "cluster_size=512",
            "cluster_size=64k,extended_l2=on",
            "compression_type=zstd")) {
      Path file = folder.resolve("image.qcow2");
      QemuTool.run(
          "qemu-img",
          "convert",
          "-c",
          "-f",
          "raw",
          "-O",
          "qcow2",
          "-o",
          options,
          raw.toString(),
          file.toString());
      MemoryStorage storage = MemoryStorage.of(file);
      OpenedImage image = OpenedImage.writable(storage);
      assertArrayEquals(data, image.all());
      CheckResult found = ImageCheck.run(image.image, image.io, false, false, message -> {});
      assertEquals(0, found.leaks() + found.corruptions());
      assertTrue(found.compressed() > 0);
      byte[] part = new byte[5000];
      random.nextBytes(part);
      byte[] changed = data.clone();
      for (int at = 512; at < data.length - 10000; at += 300 * 512) {
        image.write(at, part);
        System.arraycopy(part, 0, changed, at, part.length);
      }
      image.writer.zero(image.io, 1 << 20, 70000, true);
      Arrays.fill(changed, 1 << 20, (1 << 20) + 70000, (byte) 0);
      image.settle();
      storage.save(file);
      QemuImg.check(file);
      assertArrayEquals(changed, QemuImg.contents(file));
    }
  }
}
