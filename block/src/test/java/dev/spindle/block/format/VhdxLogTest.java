// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Logs that somebody has left in VHDX images, replayed as QEMU replays them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VhdxLogTest {
  private static final int SIZE = 4 << 20;
  private static final int SECTOR = 4096;
  private static final int[] HEADERS = {64 << 10, 128 << 10};

  @TempDir private Path folder;
  private Path image;
  private ByteBuffer bytes;
  private final byte[] guid = new byte[16];
  private final Random random = new Random(17);

  /** Where the first block of data is. */
  private int data;

  private int log;

  @BeforeEach
  void makeImage() throws Exception {
    random.nextBytes(guid);
    Path raw = folder.resolve("contents.raw");
    byte[] contents = new byte[SIZE];
    random.nextBytes(contents);
    Files.write(raw, contents);
    image = folder.resolve("image.vhdx");
    QemuPeersTest.convert(ImageKind.VHDX_SMALL, raw, image);
    bytes = ByteBuffer.wrap(Files.readAllBytes(image)).order(ByteOrder.LITTLE_ENDIAN);
    log = (int) bytes.getLong(HEADERS[0] + 72);
    byte[] sector = Arrays.copyOf(contents, 64);
    data = find(sector);
  }

  private int find(byte[] wanted) {
    for (int at = 1 << 20; at < bytes.capacity(); at += 1 << 20) {
      if (Arrays.equals(wanted, Arrays.copyOfRange(bytes.array(), at, at + wanted.length))) {
        return at;
      }
    }
    throw new AssertionError("the data is not there");
  }

  private static int checksum(byte[] bytes, int offset, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  /** Both headers say that there is a log. */
  private void announceLog() {
    for (int header : HEADERS) {
      bytes.put(header + 48, guid).putInt(header + 4, 0);
      bytes.putInt(header + 4, checksum(bytes.array(), header, SECTOR));
    }
  }

  /** An entry at a place of the log that writes random data, and zeroes 8 KiB. */
  private void entry(int place, int tail, long sequence, int target, int zeroes) {
    ByteBuffer entry = ByteBuffer.allocate(2 * SECTOR).order(ByteOrder.LITTLE_ENDIAN);
    entry.put(0, "loge".getBytes(ISO_8859_1)).putInt(8, 2 * SECTOR).putInt(12, tail);
    entry.putLong(16, sequence).putInt(24, 2).put(32, guid);
    entry.putLong(48, bytes.capacity()).putLong(56, bytes.capacity());
    byte[] written = new byte[SECTOR];
    random.nextBytes(written);
    ByteBuffer source = ByteBuffer.wrap(written).order(ByteOrder.LITTLE_ENDIAN);
    entry.put(64, "desc".getBytes(ISO_8859_1)).putInt(68, source.getInt(SECTOR - 4));
    entry.putLong(72, source.getLong(0)).putLong(80, target).putLong(88, sequence);
    entry.put(96, "zero".getBytes(ISO_8859_1)).putLong(104, 2 * SECTOR);
    entry.putLong(112, zeroes).putLong(120, sequence);
    entry.put(SECTOR, written).put(SECTOR, "data".getBytes(ISO_8859_1));
    entry.putInt(SECTOR + 4, (int) (sequence >>> 32));
    entry.putInt(2 * SECTOR - 4, (int) sequence);
    entry.putInt(4, checksum(entry.array(), 0, 2 * SECTOR));
    for (int i = 0; i < 2 * SECTOR; i++) {
      bytes.put(log + (place + i) % (1 << 20), entry.get(i));
    }
  }

  private String node(String more) {
    return QemuPeersTest.node(ImageKind.VHDX_SMALL, image, more);
  }

  private byte[] replayedByQemu() throws Exception {
    Path copy = folder.resolve("copy.vhdx");
    Files.copy(image, copy, StandardCopyOption.REPLACE_EXISTING);
    QemuImg.run("qemu-img", "check", "-q", "-r", "all", "-f", "vhdx", copy);
    Path raw = folder.resolve("replayed.raw");
    QemuImg.run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", copy, raw);
    return Files.readAllBytes(raw);
  }

  private void checkReplay() throws Exception {
    Files.write(image, bytes.array());
    byte[] expected = replayedByQemu();
    try (Disk disk = new Disk(node(""))) {
      assertArrayEquals(expected, QemuPeersTest.read(disk));
    }
    // It is done once and for all.
    try (Disk disk = new Disk(node(",read-only=on"))) {
      assertArrayEquals(expected, QemuPeersTest.read(disk));
    }
    QemuImg.run("qemu-img", "check", "-q", "-f", "vhdx", image);
  }

  private String refusal(String more) throws Exception {
    Files.write(image, bytes.array());
    String refusal =
        assertThrows(BlockException.class, () -> new Disk(node(more)).close()).getMessage();
    assertArrayEquals(bytes.array(), Files.readAllBytes(image));
    return refusal;
  }

  @Test
  void aSingleEntryIsReplayed() throws Exception {
    announceLog();
    entry(0, 0, 5, data, data + (1 << 20));
    checkReplay();
  }

  @Test
  void aSequenceIsReplayedInOrder() throws Exception {
    announceLog();
    entry(8 * SECTOR, 8 * SECTOR, 7, data, data + (1 << 20));
    entry(10 * SECTOR, 8 * SECTOR, 8, data, data + SECTOR);
    entry(12 * SECTOR, 8 * SECTOR, 9, data + 4 * SECTOR, data + (2 << 20));
    checkReplay();
  }

  @Test
  void anOlderSequenceDoesNotCount() throws Exception {
    announceLog();
    entry(40 * SECTOR, 40 * SECTOR, 3, data, data + (1 << 20));
    entry(8 * SECTOR, 8 * SECTOR, 9, data + SECTOR, data + (2 << 20));
    checkReplay();
  }

  @Test
  void readOnlyItIsRefused() throws Exception {
    announceLog();
    entry(0, 0, 5, data, data + (1 << 20));
    String refusal = refusal(",read-only=on");
    assertTrue(refusal.contains("has a log to be replayed"), refusal);
  }

  @Test
  void aLogThatIsDamagedIsRefused() throws Exception {
    announceLog();
    entry(0, 0, 5, data, data + (1 << 20));
    bytes.put(log + SECTOR + 100, (byte) ~bytes.get(log + SECTOR + 100));
    String refusal = refusal("");
    assertTrue(refusal.contains("nothing in it is valid"), refusal);
  }

  @Test
  void whatWouldDestroyTheImageIsRefused() throws Exception {
    announceLog();
    for (int target : new int[] {0, HEADERS[1], log, log + (1 << 20) - SECTOR, -SECTOR, 17}) {
      entry(0, 0, 5, target, data);
      String refusal = refusal("");
      assertTrue(refusal.contains("the log is to write"), refusal);
    }
    entry(0, 0, 5, data, bytes.capacity() - SECTOR);
    assertEquals(true, refusal("").contains("the log is to write"));
  }

  @Test
  void aFileThatWasCutOffIsRefused() throws Exception {
    announceLog();
    entry(0, 0, 5, data, data);
    bytes =
        ByteBuffer.wrap(Arrays.copyOf(bytes.array(), bytes.capacity() - (1 << 20)))
            .order(ByteOrder.LITTLE_ENDIAN);
    String refusal = refusal("");
    assertTrue(refusal.contains("has been cut off"), refusal);
  }
}
