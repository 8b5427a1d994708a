// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.OpenFiles;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Formats that nobody here writes: images made by hand are read as QEMU reads them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ReadOnlyFormatsTest {
  private static final int SIZE = 1 << 20;
  private static final int UNIT = 64 << 10;

  @TempDir private Path folder;
  private final byte[] contents = QemuPeersTest.sparse(21, SIZE);

  private byte[] make(String format) {
    return switch (format) {
      case "bochs" -> bochs();
      case "cloop" -> cloop();
      case "dmg" -> dmg();
      default -> throw new IllegalArgumentException(format);
    };
  }

  private boolean isZero(int offset, int length) {
    for (int i = offset; i < offset + length; i++) {
      if (contents[i] != 0) {
        return false;
      }
    }
    return true;
  }

  /** Extents of 64 KiB, sectors of zeroes left out, the last extents first. */
  private byte[] bochs() {
    int extents = SIZE / UNIT;
    ByteBuffer image =
        ByteBuffer.allocate(512 + extents * 4 + extents * (512 + UNIT))
            .order(ByteOrder.LITTLE_ENDIAN);
    image.put("Bochs Virtual HD Image".getBytes(ISO_8859_1));
    image.put(32, "Redolog".getBytes(ISO_8859_1)).put(48, "Growing".getBytes(ISO_8859_1));
    image.putInt(64, 0x20000).putInt(68, 512).putInt(72, extents).putInt(76, 16).putInt(80, UNIT);
    image.putLong(88, SIZE);
    int used = 0;
    for (int extent = extents - 1; extent >= 0; extent--) {
      if (isZero(extent * UNIT, UNIT)) {
        image.putInt(512 + extent * 4, -1);
        continue;
      }
      image.putInt(512 + extent * 4, used);
      int start = 512 + extents * 4 + used++ * (512 + UNIT);
      for (int sector = 0; sector < UNIT / 512; sector++) {
        if (sector % 5 != 2) {
          int at = start + sector / 8;
          image.put(at, (byte) (image.get(at) | 1 << sector % 8));
          image.put(start + 512 + sector * 512, contents, extent * UNIT + sector * 512, 512);
        } else {
          Arrays.fill(
              contents, extent * UNIT + sector * 512, extent * UNIT + (sector + 1) * 512, (byte) 0);
        }
      }
    }
    return Arrays.copyOf(image.array(), 512 + extents * 4 + used * (512 + UNIT));
  }

  private byte[] packed(int offset, int length) {
    try (Deflater deflater = new Deflater()) {
      deflater.setInput(contents, offset, length);
      deflater.finish();
      byte[] packed = new byte[2 * length];
      return Arrays.copyOf(packed, deflater.deflate(packed));
    }
  }

  private byte[] cloop() {
    int blocks = SIZE / UNIT;
    ByteBuffer image = ByteBuffer.allocate(2 * SIZE);
    image.put("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount".getBytes(ISO_8859_1));
    image.position(128).putInt(UNIT).putInt(blocks);
    int data = 136 + (blocks + 1) * 8;
    for (int block = 0; block < blocks; block++) {
      byte[] packed = packed(block * UNIT, UNIT);
      image.putLong(136 + block * 8, data).put(data, packed);
      data += packed.length;
    }
    image.putLong(136 + blocks * 8, data);
    return Arrays.copyOf(image.array(), data);
  }

  /** Two tables; zeroes, packed and plain chunks in turn. */
  private byte[] dmg() {
    ByteBuffer image = ByteBuffer.allocate(3 * SIZE);
    StringBuilder list = new StringBuilder("<plist><dict><key>blkx</key><array>\n");
    for (int half = 0; half < 2; half++) {
      ByteBuffer table = ByteBuffer.allocate(204 + 10 * 40);
      int first = half * SIZE / 2;
      table.put("mish".getBytes(ISO_8859_1)).putInt(1).putLong(first / 512);
      table.putLong(SIZE / 1024).putInt(200, 9).position(204);
      for (int chunk = 0; chunk < 8; chunk++) {
        int at = first + chunk * UNIT;
        boolean zero = isZero(at, UNIT);
        byte[] stored =
            chunk % 2 == 0 ? packed(at, UNIT) : Arrays.copyOfRange(contents, at, at + UNIT);
        table.putInt(zero ? 2 : chunk % 2 == 0 ? 0x80000005 : 1).putInt(0);
        table.putLong(chunk * UNIT / 512).putLong(UNIT / 512);
        table.putLong(image.position()).putLong(zero ? 0 : stored.length);
        if (!zero) {
          image.put(stored);
        }
      }
      table.putInt(-1).putInt(0).putLong(8 * UNIT / 512);
      String text = Base64.getMimeEncoder().encodeToString(Arrays.copyOf(table.array(), 564));
      list.append("<dict><key>Data</key><data>\n" + text + "\n</data></dict>\n");
    }
    byte[] text = list.append("</array></dict></plist>").toString().getBytes(ISO_8859_1);
    int listOffset = image.position();
    image.put(text);
    int end = (image.position() + 511) & -512;
    image.position(end).put("koly".getBytes(ISO_8859_1)).putInt(4).putInt(512);
    image.putLong(end + 0x20, listOffset).putLong(end + 0xd8, listOffset);
    image.putLong(end + 0xe0, text.length).putLong(end + 0x1ec, SIZE / 512);
    return Arrays.copyOf(image.array(), end + 512);
  }

  private String node(String format, Path image) {
    return "driver="
        + format
        + ",node-name=disk,read-only=on,file.driver=file,file.filename="
        + image;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bochs", "cloop", "dmg"})
  void readsWhatQemuReads(String format) throws Exception {
    Path image = Files.write(folder.resolve("image." + format), make(format));
    Path raw = folder.resolve("converted.raw");
    QemuImg.run("qemu-img", "convert", "-f", format, "-O", "raw", image, raw);
    assertArrayEquals(contents, Files.readAllBytes(raw));
    try (Disk disk = new Disk(node(format, image));
        Arena arena = Arena.ofShared()) {
      assertArrayEquals(contents, QemuPeersTest.read(disk));
      MemorySegment piece = arena.allocate(1000);
      Random random = new Random(2);
      for (int i = 0; i < 200; i++) {
        int offset = random.nextInt(SIZE - 1000);
        assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, offset, piece)));
        assertEquals(-1, piece.mismatch(MemorySegment.ofArray(contents).asSlice(offset, 1000)));
      }
      TestRequest write = TestRequest.range(Operation.WRITE_ZEROES, 0, 512);
      assertEquals(-Errno.EPERM, disk.run(write));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bochs", "cloop", "dmg"})
  void damagedImagesDoNoHarm(String format) throws Exception {
    byte[] good = make(format);
    Path image = folder.resolve("image." + format);
    Random random = new Random(31);
    List<Integer> starts = new ArrayList<>(List.of(0, 64, 128, 512));
    for (int at = Math.max(0, good.length - 9000); at < good.length; at += 500) {
      starts.add(at);
    }
    int failed = 0;
    for (int round = 0; round < 80; round++) {
      byte[] bytes = good.clone();
      for (int i = 1 + random.nextInt(4); i > 0; i--) {
        int at = starts.get(random.nextInt(starts.size())) + random.nextInt(500);
        bytes[Math.min(at, bytes.length - 1)] = (byte) random.nextInt(256);
      }
      int length = random.nextInt(8) == 0 ? random.nextInt(bytes.length) : bytes.length;
      Files.write(image, Arrays.copyOf(bytes, length));
      failed += use(format, image) ? 0 : 1;
      assertEquals(0, OpenFiles.of(image));
    }
    assertTrue(failed > 0, "nothing was refused");
  }

  /** Returns whether all of it could be read. */
  private boolean use(String format, Path image) throws Exception {
    try (Disk disk = new Disk(node(format, image));
        Arena arena = Arena.ofShared()) {
      MemorySegment piece = arena.allocate(UNIT);
      boolean whole = true;
      for (long offset = 0; offset < Math.min(disk.node.length(), SIZE) - UNIT; offset += UNIT) {
        int result = disk.run(TestRequest.transfer(Operation.READ, offset, piece));
        assertTrue(result == 0 || result == -Errno.EIO, () -> "" + result);
        whole &= result == 0;
      }
      return whole;
    } catch (BlockException e) {
      return false;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bochs", "cloop", "dmg", "vdi", "vpc", "vmdk", "vhdx", "parallels"})
  void whatIsNoneIsRefused(String format) throws Exception {
    Path image = Files.write(folder.resolve("image"), contents);
    BlockException refusal =
        assertThrows(BlockException.class, () -> new Disk(node(format, image)).close());
    assertTrue(refusal.getMessage().contains(image.toString()), refusal.getMessage());
    Files.write(image, new byte[0]);
    refusal = assertThrows(BlockException.class, () -> new Disk(node(format, image)).close());
    assertTrue(refusal.getMessage().contains(image.toString()), refusal.getMessage());
    assertEquals(0, OpenFiles.of(image));
  }
}
