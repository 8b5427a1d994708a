// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the zstd program packs, with something behind it, and broken. */
class ZstdTest {
  private static final int SIZE = 64 << 10;

  @TempDir private Path folder;

  private byte[] packed(byte[] data) throws Exception {
    Path plain = folder.resolve("plain");
    Path packed = folder.resolve("packed");
    Files.write(plain, data);
    Process zstd =
        new ProcessBuilder("zstd", "-q", "-f", plain.toString(), "-o", packed.toString())
            .inheritIO()
            .start();
    assertEquals(0, zstd.waitFor());
    return Files.readAllBytes(packed);
  }

  @Test
  void unpacksFramesAndNoMore() throws Exception {
    assertTrue(Zstd.isAvailable());
    byte[] data = new byte[SIZE];
    Random random = new Random(1);
    for (int i = 0; i < SIZE; i++) {
      data[i] = (byte) random.nextInt(7);
    }
    byte[] frame = packed(data);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(2L * frame.length + 500).fill((byte) 0x55);
      MemorySegment.copy(frame, 0, source, ValueLayout.JAVA_BYTE, 0, frame.length);
      MemorySegment target = arena.allocate(SIZE);
      assertTrue(Zstd.decompress(source, target));
      assertArrayEquals(data, target.toArray(ValueLayout.JAVA_BYTE));
      assertFalse(Zstd.decompress(source.asSlice(0, frame.length - 1L), target));
      assertFalse(Zstd.decompress(source, target.asSlice(1)));
      assertFalse(Zstd.decompress(source, arena.allocate(SIZE + 1)));
      MemorySegment.copy(frame, 0, source, ValueLayout.JAVA_BYTE, frame.length, frame.length);
      MemorySegment twice = arena.allocate(2L * SIZE);
      assertTrue(Zstd.decompress(source, twice));
      assertArrayEquals(data, twice.asSlice(SIZE).toArray(ValueLayout.JAVA_BYTE));
      for (int i = 0; i < 2000; i++) {
        source.set(ValueLayout.JAVA_BYTE, random.nextInt(frame.length), (byte) random.nextInt());
        Zstd.decompress(source, target);
      }
    }
  }

  /** The zstd program unpacks what is packed here. */
  @Test
  void packsWhatTheProgramUnpacks() throws Exception {
    byte[] data = new byte[SIZE];
    Random random = new Random(2);
    for (int i = 0; i < SIZE; i++) {
      data[i] = (byte) random.nextInt(7);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(SIZE);
      MemorySegment.copy(data, 0, source, ValueLayout.JAVA_BYTE, 0, SIZE);
      MemorySegment target = arena.allocate(SIZE);
      long length = Zstd.compress(source, target, 3);
      assertTrue(length > 0 && length < SIZE / 2, length + " bytes");
      Path packed = folder.resolve("packed.zst");
      Files.write(packed, target.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE));
      Path plain = folder.resolve("plain");
      Process zstd =
          new ProcessBuilder("zstd", "-q", "-d", "-f", packed.toString(), "-o", plain.toString())
              .inheritIO()
              .start();
      assertEquals(0, zstd.waitFor());
      assertArrayEquals(data, Files.readAllBytes(plain));
      assertEquals(-1, Zstd.compress(source, target.asSlice(0, 100), 3));
    }
  }
}
