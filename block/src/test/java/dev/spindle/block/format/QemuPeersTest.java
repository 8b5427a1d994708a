// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.RandomRequests;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.format.QemuImg.Mapped;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Images that QEMU makes are read as QEMU reads them; what is written here, QEMU reads. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class QemuPeersTest {
  private static final int SIZE = 9 << 20;

  @TempDir private Path folder;

  static List<ImageKind> kinds() {
    return List.of(
        ImageKind.VDI,
        ImageKind.VPC,
        ImageKind.VPC_FIXED,
        ImageKind.VMDK,
        ImageKind.VMDK_ZEROED,
        ImageKind.VMDK_FLAT,
        ImageKind.VMDK_PARTS,
        ImageKind.VHDX,
        ImageKind.VHDX_SMALL,
        ImageKind.VHDX_FIXED,
        ImageKind.PARALLELS);
  }

  static List<ImageKind> readableKinds() {
    List<ImageKind> readable = new ArrayList<>(kinds());
    readable.add(ImageKind.VMDK_STREAM);
    return readable;
  }

  static String node(ImageKind kind, Path image, String more) {
    return "driver="
        + kind.format()
        + ",node-name=disk,file.driver=file,file.filename="
        + image
        + more;
  }

  private void make(ImageKind kind, Path image) throws Exception {
    if (kind.options().isEmpty()) {
      QemuImg.run("qemu-img", "create", "-q", "-f", kind.format(), image, SIZE);
    } else {
      QemuImg.run(
          "qemu-img", "create", "-q", "-f", kind.format(), "-o", kind.options(), image, SIZE);
    }
  }

  static void convert(ImageKind kind, Path raw, Path image) throws Exception {
    List<Object> command =
        new ArrayList<>(List.of("qemu-img", "convert", "-f", "raw", "-O", kind.format()));
    if (!kind.options().isEmpty()) {
      command.addAll(List.of("-o", kind.options()));
    }
    command.addAll(List.of(raw, image));
    QemuImg.run(command.toArray());
  }

  private Path toRaw(ImageKind kind, Path image) throws Exception {
    Path raw = folder.resolve("converted.raw");
    QemuImg.run("qemu-img", "convert", "-f", kind.format(), "-O", "raw", image, raw);
    return raw;
  }

  private void check(ImageKind kind, Path image) throws Exception {
    if (kind.checked()) {
      QemuImg.run("qemu-img", "check", "-q", "-f", kind.format(), image);
    }
  }

  static byte[] read(Disk disk) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(disk.node.length(), 4096).fill((byte) 0xee);
      assertEquals(0, disk.run(TestRequest.transfer(Operation.READ, 0, buffer)));
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  static BlockStatus status(Disk disk, long offset, long length) {
    CompletableFuture<BlockStatus> result = new CompletableFuture<>();
    disk.lane()
        .context()
        .startVirtual("status", () -> result.complete(disk.lane().blockStatus(offset, length)));
    return result.join();
  }

  /** Every third 64 KiB is random data, in runs that leave whole clusters out as well. */
  static byte[] sparse(int seed, int size) {
    Random random = new Random(seed);
    byte[] contents = new byte[size];
    for (int at = 0; at < size; at += 64 << 10) {
      if (random.nextInt(3) == 0 && at / (3 << 20) != 1) {
        byte[] piece = new byte[64 << 10];
        random.nextBytes(piece);
        System.arraycopy(piece, 0, contents, at, piece.length);
      }
    }
    return contents;
  }

  private static boolean isZero(byte[] contents, long offset, long length) {
    for (long at = offset; at < offset + length; at++) {
      if (contents[(int) at] != 0) {
        return false;
      }
    }
    return true;
  }

  @ParameterizedTest
  @MethodSource("readableKinds")
  void readsWhatQemuWrote(ImageKind kind) throws Exception {
    byte[] contents = sparse(5, SIZE);
    Path raw = Files.write(folder.resolve("contents.raw"), contents);
    Path image = folder.resolve("image");
    convert(kind, raw, image);
    byte[] before = Files.readAllBytes(image);
    try (Disk disk = new Disk(node(kind, image, ",read-only=on"))) {
      assertArrayEquals(contents, read(disk));
      for (Mapped mapped : QemuImg.map(kind.format(), image)) {
        long offset = mapped.start();
        while (offset < mapped.start() + mapped.length()) {
          BlockStatus status = status(disk, offset, mapped.start() + mapped.length() - offset);
          if (kind.mapped()) {
            assertEquals(mapped.data() || kind.preallocated(), status.data(), "at " + offset);
          }
          if (status.zero()) {
            assertTrue(isZero(contents, offset, status.length()), "at " + offset);
          }
          offset += status.length();
        }
      }
    }
    assertArrayEquals(before, Files.readAllBytes(image));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void qemuReadsWhatIsWritten(ImageKind kind) throws Exception {
    Path image = folder.resolve("image");
    make(kind, image);
    byte[] model;
    try (Disk disk = new Disk(node(kind, image, ""))) {
      assertEquals(SIZE, disk.node.length());
      model = RandomRequests.run(disk, SIZE);
    }
    check(kind, image);
    assertArrayEquals(model, Files.readAllBytes(toRaw(kind, image)));
  }

  static List<ImageKind> growingKinds() {
    return List.of(ImageKind.VDI, ImageKind.VPC, ImageKind.VMDK, ImageKind.VHDX_SMALL);
  }

  /** The file grows by whole blocks of the host's there. */
  @ParameterizedTest
  @MethodSource("growingKinds")
  void qemuReadsWhatIsWrittenPastThePageCache(ImageKind kind) throws Exception {
    // Not in /tmp: a tmpfs there might not take O_DIRECT.
    Path image = Files.createTempFile(Path.of("target"), "direct", ".image");
    try {
      make(kind, image);
      byte[] model;
      try (Disk disk = new Disk(node(kind, image, ",file.cache.direct=on"))) {
        model = RandomRequests.run(disk, SIZE);
      }
      check(kind, image);
      assertArrayEquals(model, Files.readAllBytes(toRaw(kind, image)));
    } finally {
      Files.delete(image);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void bothWriteInTurn(ImageKind kind) throws Exception {
    Path image = folder.resolve("image");
    make(kind, image);
    Random random = new Random(11);
    byte[] model = new byte[SIZE];
    for (int turn = 0; turn < 6; turn++) {
      int offset = random.nextInt(SIZE / 512 - 4000) * 512;
      int length = (1 + random.nextInt(3999)) * 512;
      byte value = (byte) (1 + turn);
      if (turn % 2 == 0) {
        try (Disk disk = new Disk(node(kind, image, ""));
            Arena arena = Arena.ofShared()) {
          MemorySegment data = arena.allocate(length, 4096).fill(value);
          assertEquals(0, disk.run(TestRequest.transfer(Operation.WRITE, offset, data)));
        }
      } else {
        QemuImg.run(
            "qemu-io",
            "-f",
            kind.format(),
            "-c",
            "write -q -P %d %d %d".formatted(value, offset, length),
            image);
      }
      Arrays.fill(model, offset, offset + length, value);
      check(kind, image);
    }
    assertArrayEquals(model, Files.readAllBytes(toRaw(kind, image)));
    try (Disk disk = new Disk(node(kind, image, ",read-only=on"))) {
      assertArrayEquals(model, read(disk));
    }
  }
}
