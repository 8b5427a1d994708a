// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.OpenFiles;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.linux.Errno;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Metadata with numbers that somebody has changed, many at random, those at the edges first: an
 * image is refused with a sentence, or its requests end, well or with an error.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DamagedImagesTest {
  private static final int ROUNDS = 40;
  private static final long[] EDGES = {
    0,
    1,
    2,
    0x7f,
    0xff,
    0x200,
    0x7fff_ffffL,
    0x8000_0000L,
    0xffff_fffeL,
    0xffff_ffffL,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -1
  };
  private static final Set<Integer> ENDS =
      Set.of(0, -Errno.EIO, -Errno.ENOSPC, -Errno.EFBIG, -Errno.EINVAL, -Errno.EPERM);

  @TempDir private Path folder;

  static List<ImageKind> kinds() {
    return QemuPeersTest.readableKinds();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void noImageDoesHarm(ImageKind kind) throws Exception {
    Path raw = Files.write(folder.resolve("contents.raw"), QemuPeersTest.sparse(3, 3 << 20));
    Path good = folder.resolve("good");
    QemuPeersTest.convert(kind, raw, good);
    byte[] contents = Files.readAllBytes(good);
    Path image = folder.resolve("image");
    Random random = new Random(77);
    int refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Files.write(image, contents);
      damage(image, contents.length, random);
      refused += use(kind, image) ? 0 : 1;
      assertEquals(0, OpenFiles.of(image));
    }
    // Most of a VHDX image's headers is spare room.
    assertTrue(refused > 0 || kind.format().equals("vhdx"), "nothing was refused");
  }

  private static void damage(Path image, int size, Random random) throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      for (int i = 1 + random.nextInt(3); i > 0; i--) {
        // Most metadata is in the first sectors; some is at the end.
        long at =
            switch (random.nextInt(8)) {
              case 0 -> size - Math.min(size, 1536L) + random.nextInt(Math.min(size, 1500));
              // Where a VHDX image has its headers, regions and metadata.
              case 1 -> Math.min(size, (1 + random.nextInt(64)) << 16) - 64 + random.nextInt(60);
              case 2, 3 -> random.nextInt(80);
              default -> random.nextInt(2600);
            };
        long edge = EDGES[random.nextInt(EDGES.length)];
        file.seek(at & -4);
        switch (random.nextInt(4)) {
          case 0 -> file.writeInt(Integer.reverseBytes((int) edge));
          case 1 -> file.writeInt((int) edge);
          case 2 -> file.writeLong(edge);
          default -> file.write(random.nextInt(256));
        }
      }
      if (random.nextInt(10) == 0) {
        file.setLength(random.nextInt(size));
      }
    }
  }

  /** Returns whether it could be opened. */
  private static boolean use(ImageKind kind, Path image) throws Exception {
    try (Disk disk = new Disk(QemuPeersTest.node(kind, image, ""));
        Arena arena = Arena.ofShared()) {
      long length = disk.node.length();
      MemorySegment buffer = arena.allocate(64 << 10, 4096);
      for (long offset : new long[] {0, length / 2, length - (64 << 10)}) {
        if (offset >= 0 && offset <= length - (64 << 10)) {
          use(disk, Operation.READ, offset, buffer);
          if (!disk.node.readOnly()) {
            use(disk, Operation.WRITE, offset, buffer);
          }
        }
      }
      return true;
    } catch (BlockException e) {
      assertFalse(e.getMessage().isBlank());
      return false;
    }
  }

  private static void use(Disk disk, Operation operation, long offset, MemorySegment buffer) {
    int result = disk.run(TestRequest.transfer(operation, offset, buffer));
    assertTrue(ENDS.contains(result), () -> operation + " at " + offset + ": " + result);
  }
}
