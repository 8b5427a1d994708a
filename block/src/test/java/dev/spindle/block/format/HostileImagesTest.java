// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.OpenFiles;
import dev.spindle.block.graph.BlockException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Images that lie about themselves, each in one known way, and what is said of them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostileImagesTest {
  private static final int SIZE = 5 << 20;

  @TempDir private Path folder;
  private Path image;
  private byte[] good;
  private ImageKind kind;
  private final List<String> wrong = new ArrayList<>();

  /** A change of an image. */
  @FunctionalInterface
  private interface Lie {
    void tell(ByteBuffer bytes);
  }

  private void make(ImageKind what) throws Exception {
    kind = what;
    Path raw = Files.write(folder.resolve("contents.raw"), QemuPeersTest.sparse(1, SIZE));
    image = folder.resolve("image");
    QemuPeersTest.convert(kind, raw, image);
    good = Files.readAllBytes(image);
  }

  private ByteBuffer told(ByteOrder order, Lie lie) throws Exception {
    ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(order);
    lie.tell(bytes);
    Files.write(image, bytes.array());
    return bytes;
  }

  private void refused(String word, ByteOrder order, Lie lie) throws Exception {
    told(order, lie);
    try {
      new Disk(QemuPeersTest.node(kind, image, "")).close();
      wrong.add(kind + " is opened, where was expected: " + word);
    } catch (BlockException e) {
      if (!e.getMessage().contains(word)) {
        wrong.add(kind + ": '" + word + "' is not in: " + e.getMessage());
      }
    }
    assertEquals(0, OpenFiles.of(image));
  }

  private void refusedLe(String word, Lie lie) throws Exception {
    refused(word, ByteOrder.LITTLE_ENDIAN, lie);
  }

  /** It may be read all the same. */
  private void refusedForWriting(String word, ByteOrder order, Lie lie) throws Exception {
    refused(word, order, lie);
    new Disk(QemuPeersTest.node(kind, image, ",read-only=on")).close();
  }

  @Test
  void vdi() throws Exception {
    make(ImageKind.VDI);
    refusedLe("signature", b -> b.putInt(0x40, 0));
    refusedLe("version 1.2", b -> b.putInt(0x44, 0x10002));
    refusedLe("type 4", b -> b.putInt(0x4c, 4));
    refusedLe("not between the header and the data", b -> b.putInt(0x154, 0));
    refusedLe("not between the header and the data", b -> b.putInt(0x154, 513));
    refusedLe("not between the header and the data", b -> b.putInt(0x154, -512));
    refusedLe("not between the header and the data", b -> b.putInt(0x158, 512));
    refusedLe("sectors of 4096", b -> b.putInt(0x168, 4096));
    refusedLe("blocks of 0", b -> b.putInt(0x178, 0));
    refusedLe("blocks of 1048576 + 512", b -> b.putInt(0x17c, 512));
    refusedLe("impossible", b -> b.putLong(0x170, Long.MIN_VALUE));
    refusedLe("not supported", b -> b.putLong(0x170, 1L << 50));
    refusedLe("does not fit", b -> b.putLong(0x170, 1L << 40));
    refusedLe("does not fit", b -> b.putInt(0x180, -1));
    refusedLe("not between the header and the data", b -> b.putInt(0x180, 1 << 26));
    refusedLe("are in use", b -> b.putInt(0x184, 1000));
    refusedLe("a parent image", b -> b.put(0x1b8, (byte) 1));
    refusedForWriting(
        "is used twice", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(512, 1).putInt(516, 1));
    refusedForWriting("is said to be", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(512, 77));
    assertEquals(List.of(), wrong);
  }

  private static void sum(ByteBuffer bytes, int start, int length, int at) {
    bytes.putInt(start + at, 0);
    int sum = 0;
    for (int i = start; i < start + length; i++) {
      sum += bytes.get(i) & 0xff;
    }
    bytes.putInt(start + at, ~sum);
  }

  private void refusedVhd(String word, Lie lie) throws Exception {
    refused(
        word,
        ByteOrder.BIG_ENDIAN,
        b -> {
          lie.tell(b);
          sum(b, 0, 512, 64);
          sum(b, 512, 1024, 36);
        });
  }

  @Test
  void vpc() throws Exception {
    make(ImageKind.VPC);
    refused("checksum of the footer", ByteOrder.BIG_ENDIAN, b -> b.putInt(40, 1));
    refused("checksum of the dynamic", ByteOrder.BIG_ENDIAN, b -> b.putInt(512 + 60, 1));
    refusedVhd("with a parent", b -> b.putInt(60, 4));
    refusedVhd("of type 9", b -> b.putInt(60, 9));
    refusedVhd("version", b -> b.putInt(12, 0x20000));
    refusedVhd("no metadata at offset", b -> b.putLong(16, Long.MAX_VALUE));
    refusedVhd("impossible", b -> b.putLong(16, -2));
    refusedVhd("more than a VHD", b -> b.putLong(48, Long.MAX_VALUE));
    refusedVhd("more than a VHD", b -> b.putLong(48, -512));
    refusedVhd("too small", b -> b.putLong(48, 1L << 40));
    refusedVhd("not inside the file", b -> b.putLong(528, 1L << 40));
    refusedVhd("not inside the file", b -> b.putLong(528, 0));
    refusedVhd("not inside the file", b -> b.putLong(528, 1537));
    refusedVhd("blocks of 512", b -> b.putInt(544, 512));
    refusedVhd("blocks of 3145728", b -> b.putInt(544, 3 << 20));
    refusedVhd("too small", b -> b.putInt(540, 1));
    refusedForWriting("overlaps", ByteOrder.BIG_ENDIAN, b -> b.putInt(1536, b.getInt(1540)));
    refusedForWriting("overlaps", ByteOrder.BIG_ENDIAN, b -> b.putInt(1536, 1));
    make(ImageKind.VPC_FIXED);
    refused(
        "too few for a disk",
        ByteOrder.BIG_ENDIAN,
        b -> {
          b.putLong(SIZE + 48, SIZE + 512);
          sum(b, SIZE, 512, 64);
        });
    assertEquals(List.of(), wrong);
  }

  @Test
  void vmdk() throws Exception {
    make(ImageKind.VMDK);
    refusedLe("version 9", b -> b.putInt(4, 9));
    refusedLe("the capacity cannot be", b -> b.putLong(12, 1L << 60));
    refusedLe("grains of 0", b -> b.putLong(20, 0));
    refusedLe("grains of 68719476736", b -> b.putLong(20, 1 << 27));
    refusedLe("grains of", b -> b.putLong(20, 100));
    refusedLe("not inside the file", b -> b.putLong(56, 0));
    refusedLe("not inside the file", b -> b.putLong(56, 1 << 30));
    refusedLe("not inside the file", b -> b.putLong(48, 1 << 30));
    refusedLe("tables of 0", b -> b.putInt(44, 0));
    refusedLe("tables of 2147483647", b -> b.putInt(44, -1));
    refusedLe("is a part of", b -> b.putLong(28, 0));
    refusedLe("no metadata", b -> b.putLong(28, 1 << 30));
    refusedLe("there is no descriptor", b -> b.putLong(28, 30));
    refusedLe("compressed in a way", b -> b.putInt(8, 3 | 1 << 16));
    refusedLe("does not end with a footer", b -> b.putLong(56, -1));
    int directory = (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong(56) * 512;
    refusedLe("no metadata at offset", b -> b.putInt(directory, -1));
    int table = ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getInt(directory) * 512;
    refusedForWriting(
        "overlaps", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(table, 128).putInt(table + 4, 128));
    refusedForWriting("overlaps", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(table, -1));
    assertEquals(List.of(), wrong);
  }

  private String descriptorRefusal(String extent) throws Exception {
    Files.writeString(
        image,
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
            + "createType=\"monolithicFlat\"\n"
            + extent,
        ISO_8859_1);
    return assertThrows(
            BlockException.class,
            () -> new Disk(QemuPeersTest.node(ImageKind.VMDK_FLAT, image, "")).close())
        .getMessage();
  }

  @Test
  void vmdkDescriptors() throws Exception {
    image = folder.resolve("image.vmdk");
    Files.write(folder.resolve("short.raw"), new byte[1024]);
    for (String name : List.of("/etc/passwd", "../image.vmdk", "..", "a/b", "")) {
      String refusal = descriptorRefusal("RW 2 FLAT \"" + name + "\" 0\n");
      assertTrue(refusal.contains("not in its own folder"), refusal);
    }
    assertTrue(descriptorRefusal("RW 4 FLAT \"short.raw\" 0\n").contains("too few"));
    assertTrue(descriptorRefusal("RW 2 FLAT \"short.raw\" 1\n").contains("too few"));
    assertTrue(descriptorRefusal("RW 2 FLAT \"short.raw\" 999999999999999\n").contains("too few"));
    assertTrue(descriptorRefusal("RW 0 FLAT \"short.raw\" 0\n").contains("0 sectors"));
    assertTrue(descriptorRefusal("RW 999999999999999 FLAT \"short.raw\" 0\n").contains("sectors"));
    assertTrue(descriptorRefusal("RDONLY 2 FLAT \"short.raw\" 0\n").contains("'RDONLY'"));
    assertTrue(descriptorRefusal("RW 2 VMFSRDM \"short.raw\" 0\n").contains("'VMFSRDM'"));
    assertTrue(descriptorRefusal("RW 2 FLAT \"image.vmdk\" 0\n").contains("lock"));
    assertTrue(descriptorRefusal("# none\n").contains("names no extents"));
    assertTrue(descriptorRefusal("RW 2 SPARSE \"short.raw\"\n").contains("short.raw"));
  }

  private static void crc(ByteBuffer bytes, int start, int length) {
    bytes.putInt(start + 4, 0);
    CRC32C crc = new CRC32C();
    crc.update(bytes.array(), start, length);
    bytes.putInt(start + 4, (int) crc.getValue());
  }

  private void refusedVhdx(String word, Lie lie) throws Exception {
    refusedLe(
        word,
        b -> {
          lie.tell(b);
          crc(b, 64 << 10, 4096);
          crc(b, 128 << 10, 4096);
          crc(b, 192 << 10, 64 << 10);
          crc(b, 256 << 10, 64 << 10);
        });
  }

  /** Both copies of a number. */
  private static void both(ByteBuffer bytes, int first, int apart, long value) {
    bytes.putLong(first, value).putLong(first + apart, value);
  }

  @Test
  void vhdx() throws Exception {
    make(ImageKind.VHDX_SMALL);
    int headers = 64 << 10;
    int regions = 192 << 10;
    refusedLe("no valid header", b -> b.putInt(headers + 8, 99).putInt(2 * headers + 8, 99));
    refusedLe("no valid region table", b -> b.putInt(regions + 8, 1).putInt(4 * headers + 8, 1));
    refusedVhdx("can be no log", b -> both(b, headers + 72, headers, 4096));
    refusedVhdx("can be no log", b -> both(b, headers + 72, headers, Long.MAX_VALUE << 20));
    refusedVhdx("entries", b -> both(b, regions + 8, headers, 5000));
    refusedVhdx("overlaps", b -> both(b, regions + 32, headers, 1 << 20));
    refusedVhdx("overlaps", b -> both(b, regions + 32, headers, 1L << 40));
    refusedVhdx("impossible", b -> both(b, regions + 32, headers, -1L << 20));
    refusedVhdx("lacks its", b -> both(b, regions + 16, headers, 77));
    ByteBuffer whole = ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN);
    int metadata = find("metadata");
    int items = metadata + (64 << 10);
    refusedLe("no valid metadata table", b -> b.putLong(metadata, 1));
    refusedLe("no valid metadata table", b -> b.putShort(metadata + 10, (short) -1));
    refusedLe("not inside their region", b -> b.putInt(metadata + 48, -1));
    refusedLe("not inside their region", b -> b.putInt(metadata + 48, 0));
    refusedLe("is not known", b -> b.putLong(metadata + 32, 1));
    assertEquals(1 << 20, whole.getInt(items), "the block size is elsewhere");
    refusedLe("blocks of 0", b -> b.putInt(items, 0));
    refusedLe("blocks of 3145728", b -> b.putInt(items, 3 << 20));
    refusedLe("with a parent", b -> b.putInt(items + 4, 2));
    int size = findLong(items, SIZE);
    refusedLe("too small for a disk", b -> b.putLong(size, 60L << 40));
    refusedLe("is not possible", b -> b.putLong(size, 65L << 40));
    refusedLe("is not possible", b -> b.putLong(size, SIZE + 1));
    assertEquals(List.of(), wrong);
  }

  private int find(String text) {
    return new String(good, ISO_8859_1).indexOf(text);
  }

  private int findLong(int from, long value) {
    ByteBuffer whole = ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN);
    int at = from;
    while (whole.getLong(at) != value) {
      at++;
    }
    return at;
  }

  @Test
  void parallels() throws Exception {
    make(ImageKind.PARALLELS);
    refusedLe("begins as none", b -> b.put(0, (byte) 'w'));
    refusedLe("version 3", b -> b.putInt(16, 3));
    refusedLe("clusters of 0", b -> b.putInt(28, 0));
    refusedLe("are not supported", b -> b.putInt(28, -1));
    refusedLe("are not supported", b -> b.putInt(32, -1));
    refusedLe("does not fit", b -> b.putInt(32, 1 << 25));
    refusedLe("too few for", b -> b.putInt(32, 1));
    refusedLe("too few for", b -> b.putLong(36, Long.MAX_VALUE));
    refusedLe("impossible", b -> b.putLong(36, -1));
    refusedLe("too few for", b -> b.putInt(36, 1 << 30));
    refusedForWriting("overlaps", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(64, 1).putInt(68, 1));
    refusedForWriting("overlaps", ByteOrder.LITTLE_ENDIAN, b -> b.putInt(64, -1));
    assertEquals(List.of(), wrong);
  }
}
