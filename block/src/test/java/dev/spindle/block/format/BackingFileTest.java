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
import dev.spindle.block.format.QemuImg.Mapped;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Overlays and what they back onto, beside what QEMU makes of them. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackingFileTest {
  private static final int SIZE = 4 << 20;

  @TempDir private Path folder;
  private Path base;
  private Path overlay;
  private byte[] contents;

  @BeforeEach
  void makeOverlay() throws Exception {
    contents = QemuPeersTest.sparse(9, SIZE);
    Path raw = Files.write(folder.resolve("contents.raw"), contents);
    base = folder.resolve("base.vmdk");
    overlay = folder.resolve("overlay.vmdk");
    QemuPeersTest.convert(ImageKind.VMDK, raw, base);
    QemuImg.run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", "base.vmdk", overlay);
  }

  private String node(String more) {
    return QemuPeersTest.node(ImageKind.VMDK, overlay, more);
  }

  private String refusal(String description) {
    return assertThrows(BlockException.class, () -> new Disk(description).close()).getMessage();
  }

  /** Has the overlay name another parent, in as many characters. */
  private void renameParent(String name) throws Exception {
    String bytes = Files.readString(overlay, ISO_8859_1);
    String changed =
        bytes.replaceFirst(
            "parentFileNameHint=\"[^\"]*\"(?s:(.{0,40}))", "parentFileNameHint=\"" + name + "\"$1");
    int longer = changed.length() - bytes.length();
    // Room is taken from the zeroes behind the text.
    int end = changed.indexOf("\0\0\0\0\0\0\0\0", changed.indexOf("parentFileNameHint"));
    changed =
        longer >= 0
            ? changed.substring(0, end) + changed.substring(end + longer)
            : changed.substring(0, end) + "\0".repeat(-longer) + changed.substring(end);
    Files.writeString(overlay, changed, ISO_8859_1);
  }

  @Test
  void whatTheImageNamesIsReadBelow() throws Exception {
    byte[] before = Files.readAllBytes(base);
    try (Disk disk = new Disk(node(""))) {
      assertArrayEquals(contents, QemuPeersTest.read(disk));
      Random random = new Random(4);
      try (Arena arena = Arena.ofShared()) {
        for (int i = 0; i < 40; i++) {
          int offset = random.nextInt(SIZE - 200_000);
          int length = 1 + random.nextInt(200_000);
          boolean zeroes = random.nextInt(3) == 0;
          MemorySegment data = arena.allocate(length, 4096).fill((byte) (i + 1));
          TestRequest request =
              zeroes
                  ? TestRequest.range(Operation.WRITE_ZEROES, offset, length)
                  : TestRequest.transfer(Operation.WRITE, offset, data);
          assertEquals(0, disk.run(request));
          Arrays.fill(contents, offset, offset + length, (byte) (zeroes ? 0 : i + 1));
        }
      }
      assertArrayEquals(contents, QemuPeersTest.read(disk));
      assertEquals(0, disk.run(TestRequest.range(Operation.FLUSH, 0, 0)));
    }
    assertArrayEquals(before, Files.readAllBytes(base));
    QemuImg.run("qemu-img", "check", "-q", "-f", "vmdk", overlay);
    Path raw = folder.resolve("converted.raw");
    QemuImg.run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", overlay, raw);
    assertArrayEquals(contents, Files.readAllBytes(raw));
  }

  @Test
  void statusTellsTheLayer() throws Exception {
    QemuImg.run("qemu-io", "-f", "vmdk", "-c", "write -q -P 7 1M 128k", overlay);
    try (Disk disk = new Disk(node(",read-only=on"))) {
      List<Mapped> map = QemuImg.map("vmdk", overlay);
      assertTrue(map.stream().anyMatch(mapped -> mapped.depth() == 1 && mapped.data()));
      for (Mapped mapped : map) {
        for (long at = mapped.start(); at < mapped.start() + mapped.length(); ) {
          BlockStatus status =
              QemuPeersTest.status(disk, at, mapped.start() + mapped.length() - at);
          assertEquals(mapped.data(), status.data(), "at " + at);
          if (mapped.data()) {
            assertEquals(mapped.depth() + 1, status.depth(), "at " + at);
          }
          at += status.length();
        }
      }
    }
  }

  @Test
  void noBackingFileIsWanted() throws Exception {
    try (Disk disk = new Disk(node(",backing="))) {
      assertArrayEquals(new byte[SIZE], QemuPeersTest.read(disk));
    }
  }

  @Test
  void anotherOneIsWanted() throws Exception {
    byte[] other = new byte[SIZE / 2];
    new Random(8).nextBytes(other);
    Path raw = Files.write(folder.resolve("other.raw"), other);
    String backing =
        ",backing.driver=raw,backing.file.driver=file,backing.read-only=on,backing.file.filename=";
    try (Disk disk = new Disk(node(backing + raw))) {
      assertArrayEquals(Arrays.copyOf(other, SIZE), QemuPeersTest.read(disk));
    }
  }

  @Test
  void aBackingFileThatHasChangedIsRefused() throws Exception {
    QemuImg.run("qemu-io", "-f", "vmdk", "-c", "write -q -P 7 1M 64k", base);
    String refusal = refusal(node(""));
    assertTrue(refusal.contains("has changed since the overlay was made"), refusal);
    assertEquals(0, OpenFiles.of(base));
    assertEquals(0, OpenFiles.of(overlay));
  }

  /** What QEMU would notice when it opens the overlay. */
  @Test
  void aChangeHereIsSeenByOverlays() throws Exception {
    try (Disk disk = new Disk(QemuPeersTest.node(ImageKind.VMDK, base, ""))) {
      assertEquals(0, disk.run(TestRequest.range(Operation.WRITE_ZEROES, 0, 4096)));
    }
    QemuImg.run("qemu-img", "check", "-q", "-f", "vmdk", base);
    String refusal = refusal(node(""));
    assertTrue(refusal.contains("has changed since the overlay was made"), refusal);
  }

  @Test
  void aCircleIsRefused() throws Exception {
    renameParent("overlay.vmdk");
    for (String more : List.of("", ",read-only=on")) {
      String refusal = refusal(node(more));
      assertTrue(refusal.contains("comes back to"), refusal);
    }
    assertEquals(0, OpenFiles.of(overlay));
  }

  @Test
  void whatIsNoFileIsRefused() throws Exception {
    renameParent("nbd:h:10809");
    String refusal = refusal(node(""));
    assertTrue(refusal.contains("is not a file on this host"), refusal);
    renameParent("none.vmdk");
    refusal = refusal(node(""));
    assertTrue(refusal.contains("Could not open backing file"), refusal);
    assertTrue(refusal.contains(folder.resolve("none.vmdk").toString()), refusal);
  }

  @Test
  void aChainOfSeveralIsRead() throws Exception {
    Path last = base;
    for (int i = 0; i < 3; i++) {
      Path next = folder.resolve("layer" + i + ".vmdk");
      QemuImg.run(
          "qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", last.getFileName(), next);
      last = next;
    }
    try (Disk disk = new Disk(QemuPeersTest.node(ImageKind.VMDK, last, ""))) {
      assertArrayEquals(contents, QemuPeersTest.read(disk));
    }
  }
}
