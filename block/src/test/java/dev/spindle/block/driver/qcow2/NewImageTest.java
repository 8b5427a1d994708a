// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.QemuTool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** New images are what qemu-img makes of the same options, as far as it tells. */
class NewImageTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "10485760 | 65536 | 16 | 3 | false | false | ''",
        "0 | 65536 | 16 | 3 | false | false | ''",
        "10485760 | 512 | 64 | 3 | true | false | lazy_refcounts=on",
        "137438953472 | 512 | 16 | 3 | false | false | ''",
        "10485760 | 2097152 | 1 | 3 | false | false | ''",
        "10485760 | 65536 | 16 | 2 | false | false | compat=0.10",
        "10486272 | 16384 | 8 | 3 | false | true | extended_l2=on"
      })
  void areAsQemuMakesThem(
      long size, int cluster, int bits, int version, boolean lazy, boolean extended, String more)
      throws Exception {
    NewImage wanted =
        new NewImage(
            size,
            cluster,
            bits,
            version,
            lazy,
            extended,
            false,
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            false,
            0);
    MemoryStorage storage = new MemoryStorage(new byte[700]);
    wanted.write(storage);
    Path ours = folder.resolve("ours.qcow2");
    storage.save(ours);
    QemuImg.check(ours);
    Path theirs = folder.resolve("theirs.qcow2");
    String options = "cluster_size=" + cluster + ",refcount_bits=" + bits;
    QemuImg.create(theirs, options + (more.isEmpty() ? "" : "," + more), size);
    assertEquals(info(theirs), info(ours));
    if (size > 1 << 20) {
      OpenedImage image = OpenedImage.writable(storage);
      byte[] data = new byte[100_000];
      new Random(1).nextBytes(data);
      long offset = size - (100_352L + 512);
      image.write(offset, data);
      assertArrayEquals(data, image.read(offset, data.length));
      image.settle();
      storage.save(ours);
      QemuImg.check(ours);
    }
  }

  private static String info(Path file) throws Exception {
    return QemuTool.run("qemu-img", "info", file.toString())
        .replaceAll("(image|disk size): .*\n", "")
        .replaceAll("theirs|ours", "");
  }

  @Test
  void namesItsBackingFile() throws Exception {
    NewImage plain = NewImage.of(1 << 20);
    NewImage wanted =
        new NewImage(
            plain.size(),
            plain.clusterSize(),
            plain.refcountBits(),
            3,
            false,
            false,
            false,
            Optional.of("base.raw"),
            Optional.of("raw"),
            Optional.empty(),
            false,
            0);
    MemoryStorage storage = new MemoryStorage(new byte[0]);
    wanted.write(storage);
    Path file = folder.resolve("ours.qcow2");
    storage.save(file);
    Files.write(folder.resolve("base.raw"), new byte[1 << 20]);
    String info = QemuTool.run("qemu-img", "info", file.toString());
    assertTrue(info.contains("backing file: base.raw"), info);
    assertTrue(info.contains("backing file format: raw"), info);
    assertEquals(Optional.of("base.raw"), Qcow2Header.read(storage).backingName());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1000 | 65536 | 17 | 3 | Refcount width must be a power of two and may not exceed 64 bits",
        "1024 | 65537 | 16 | 3 | Cluster size must be a power of two between 512 and 2048k",
        "1024 | 256 | 16 | 3 | Cluster size must be a power of two between 512 and 2048k",
        "1024 | 65536 | 8 | 2 | Different refcount widths than 16 bits require compatibility level"
            + " 1.1 or above (use version=v3 or greater)",
        "137438953984 | 512 | 16 | 3 | The image size is too large for file format 'qcow2' (try"
            + " using a larger cluster size)"
      })
  void refusesWhatCannotBe(long size, int cluster, int bits, int version, String words) {
    NewImage wanted =
        new NewImage(
            size,
            cluster,
            bits,
            version,
            false,
            false,
            false,
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            false,
            0);
    MemoryStorage storage = new MemoryStorage(new byte[] {1});
    Qcow2Exception refusal = assertThrows(Qcow2Exception.class, () -> wanted.write(storage));
    assertEquals(words, refusal.getMessage());
    assertEquals(1, storage.length());
  }
}
