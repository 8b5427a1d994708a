// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.QemuTool;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images that were made to harm: a sentence, and little memory. */
class HostileImageTest {
  private static final int SIZE = 1 << 20;

  @TempDir private Path folder;
  private byte[] good;

  @BeforeEach
  void make() throws Exception {
    Path file = folder.resolve("good.qcow2");
    QemuImg.create(file, "cluster_size=4096", SIZE);
    QemuImg.io(file, List.of("write -P 1 0 64k", "write -P 2 512k 64k"));
    QemuTool.run("qemu-img", "snapshot", "-c", "one", file.toString());
    QemuImg.io(file, List.of("write -P 3 0 32k"));
    good = MemoryStorage.of(file).contents();
  }

  private long u64(int at) {
    return ByteBuffer.wrap(good).getLong(at);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0|4|0|Image is not in qcow2 format",
        "4|4|4|Unsupported qcow2 version 4",
        "4|4|1|Unsupported qcow2 version 1",
        "20|4|8|Unsupported cluster size: 2^8",
        "20|4|22|Unsupported cluster size: 2^22",
        "20|4|-1|Unsupported cluster size: 2^4294967295",
        "32|4|1|The image is encrypted with AES-CBC, which is not supported",
        "32|4|2|The image is encrypted with LUKS, and has no encryption header",
        "32|4|3|Unsupported encryption method 3",
        "72|8|0x20|Unsupported qcow2 feature(s): Unknown incompatible feature: 20",
        "72|8|0x8000000000000000|Unsupported qcow2 feature(s): Unknown incompatible feature:"
            + " 8000000000000000",
        "72|8|8|Compression type incompatible feature bit must not be set with compression type 0",
        "104|1|1|Compression type incompatible feature bit must be set",
        "72|8|0x10|Unsupported cluster size: 2^12 with extended L2 entries",
        "96|4|7|Reference count entry width too large; may not exceed 64 bits",
        "96|4|-1|Reference count entry width too large; may not exceed 64 bits",
        "100|4|96|qcow2 header too short",
        "100|4|108|qcow2 header too short",
        "100|4|-8|qcow2 header exceeds cluster size",
        "100|4|8192|qcow2 header exceeds cluster size",
        "8|8|-1|Invalid backing file offset",
        "8|8|4097|Invalid backing file offset",
        "8|8|8|Invalid backing file offset",
        "24|8|-1|Image size is impossible: 18446744073709551615",
        "24|8|0x10000000000|L1 table is too small",
        "36|4|-1|Active L1 table too large",
        "36|4|0x7fffffff|Active L1 table too large",
        "36|4|0|L1 table is too small",
        "40|8|0|Active L1 table offset invalid",
        "40|8|4097|Active L1 table offset invalid",
        "40|8|0x7ffffffffffff000|Active L1 table offset invalid",
        "48|8|0|Reference count table offset invalid",
        "48|8|513|Reference count table offset invalid",
        "48|8|-4096|Reference count table offset invalid",
        "56|4|0|Image does not contain a reference count table",
        "56|4|-1|Reference count table too large",
        "56|4|0x7fffffff|Reference count table too large",
        "60|4|-1|Snapshot table too large",
        "60|4|0x10001|Snapshot table too large",
        "64|8|1|Snapshot table offset invalid",
        "64|8|-4096|Snapshot table offset invalid",
        "112|4|0x12345678|Header extension too large"
      })
  void isRefused(int at, int bytes, String value, String words) throws Exception {
    byte[] broken = good.clone();
    ByteBuffer out = ByteBuffer.wrap(broken);
    long number =
        value.startsWith("0x")
            ? Long.parseUnsignedLong(value.substring(2), 16)
            : Long.parseLong(value);
    switch (bytes) {
      case 1 -> out.put(at, (byte) number);
      case 4 -> out.putInt(at, (int) number);
      default -> out.putLong(at, number);
    }
    if (at == 112) {
      out.putInt(116, 0x7fffffff);
    }
    Qcow2Exception refusal =
        assertThrows(Qcow2Exception.class, () -> OpenedImage.readOnly(new MemoryStorage(broken)));
    assertEquals(words, refusal.getMessage());
  }

  @Test
  void corruptImagesAreNotWritten() throws Exception {
    byte[] marked = good.clone();
    ByteBuffer.wrap(marked).putLong(72, Features.CORRUPT);
    assertEquals(3, OpenedImage.readOnly(new MemoryStorage(marked)).all()[0]);
    assertThrows(Qcow2Exception.class, () -> OpenedImage.writable(new MemoryStorage(marked)));
  }

  @Test
  void dirtyImagesAreNotWrittenUnlessTheyCanBeMended() throws Exception {
    byte[] marked = good.clone();
    ByteBuffer.wrap(marked).putLong(72, Features.DIRTY);
    assertEquals(3, OpenedImage.readOnly(new MemoryStorage(marked)).all()[0]);
    // A cluster that an L2 table refers to is not counted, and one that it does not is.
    int refcounts = (int) u64((int) u64(48));
    int l2 = (int) (u64((int) u64(40)) & Entry.OFFSET);
    int used = (int) ((u64(l2) & Entry.OFFSET) / 4096);
    ByteBuffer.wrap(marked).putShort(refcounts + 2 * used, (short) 0);
    ByteBuffer.wrap(marked).putShort(refcounts + 2 * 300, (short) 1);
    MemoryStorage storage = new MemoryStorage(marked);
    OpenedImage.writable(storage);
    assertArrayEquals(good, storage.contents());
    ByteBuffer.wrap(marked).putLong(l2, 0x9200);
    MemoryStorage broken = new MemoryStorage(marked);
    assertThrows(Qcow2Exception.class, () -> OpenedImage.writable(broken));
    assertEquals(Features.DIRTY, ByteBuffer.wrap(broken.contents()).getLong(72));
  }

  @Test
  void dataThatWouldOverwriteMetadataMarksTheImage() throws Exception {
    int l1 = (int) u64(40);
    int l2 = (int) (u64(l1) & Entry.OFFSET);
    for (long target : new long[] {0x1000, l1, l2, u64(48), u64((int) u64(48)), u64(64)}) {
      byte[] broken = good.clone();
      ByteBuffer.wrap(broken).putLong(l2, target | Entry.COPIED);
      MemoryStorage storage = new MemoryStorage(broken);
      OpenedImage image = OpenedImage.writable(storage);
      assertThrows(Qcow2Exception.class, () -> image.write(0, new byte[4096]));
      assertTrue((ByteBuffer.wrap(storage.contents()).getLong(72) & Features.CORRUPT) != 0);
      // Nothing is written any more, elsewhere neither.
      assertThrows(Qcow2Exception.class, () -> image.write(512 << 10, new byte[4096]));
    }
  }

  @Test
  void metadataThatCountsAsFreeIsNotTaken() throws Exception {
    byte[] broken = good.clone();
    int block = (int) u64((int) u64(48));
    for (int i = 0; i < 4096; i++) {
      broken[block + i] = 0;
    }
    MemoryStorage storage = new MemoryStorage(broken);
    OpenedImage image = OpenedImage.writable(storage);
    assertThrows(Qcow2Exception.class, () -> image.write(256 << 10, new byte[4096]));
    assertNotEquals(0, storage.contents()[79] & Features.CORRUPT);
  }

  /** Whatever is broken: an answer or a refusal, never another exception, and it ends. */
  @Test
  void randomDamageIsBorne() throws Exception {
    Random random = new Random(1);
    int refused = 0;
    for (int i = 0; i < 1500; i++) {
      byte[] broken = good.clone();
      for (int j = 0; j < 1 + random.nextInt(4); j++) {
        int area = random.nextInt(3);
        int at = area == 0 ? random.nextInt(128) : random.nextInt(broken.length / 8) * 8;
        ByteBuffer.wrap(broken)
            .putLong(
                at, area == 2 ? random.nextLong() : random.nextLong() & 0x8000_0000_000f_f000L);
      }
      MemoryStorage storage = new MemoryStorage(broken);
      try {
        OpenedImage image = OpenedImage.writable(storage);
        image.all();
        image.write(random.nextInt(200) * 4096L, new byte[8192]);
        image.writer.discard(image.io, 0, 65536);
        image.settle();
        ImageCheck.run(image.image, image.io, true, true, message -> {});
      } catch (Qcow2Exception e) {
        refused++;
      }
    }
    assertTrue(refused > 100 && refused < 1500, "refused " + refused);
  }
}
