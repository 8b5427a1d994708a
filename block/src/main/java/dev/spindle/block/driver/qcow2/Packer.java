// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Zstd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.zip.Deflater;

/** Packs clusters, on threads of its own: it takes long. Any thread. */
final class Packer {
  /**
   * How far back readers look for what is repeated: QEMU gives its inflater no more memory. What is
   * packed in pieces that know nothing of each other leads no farther.
   */
  private static final int WINDOW = 4096;

  /** As QEMU has it: the library's default. */
  private static final int ZSTD_LEVEL = 3;

  private final boolean zstd;

  Packer(Qcow2Header header) {
    this.zstd = header.compressionType() != 0;
  }

  /**
   * Packs a cluster. Waits.
   *
   * @return null if it does not become smaller
   */
  byte[] pack(byte[] cluster) {
    return CompletableFuture.supplyAsync(() -> zstd ? packZstd(cluster) : deflate(cluster)).join();
  }

  private static byte[] deflate(byte[] cluster) {
    byte[] packed = new byte[cluster.length];
    try (Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true)) {
      int length = 0;
      for (int done = 0; done < cluster.length; done += WINDOW) {
        int some = Math.min(WINDOW, cluster.length - done);
        deflater.setInput(cluster, done, some);
        boolean last = done + some == cluster.length;
        if (last) {
          deflater.finish();
        }
        int mode = last ? Deflater.NO_FLUSH : Deflater.FULL_FLUSH;
        length += deflater.deflate(packed, length, packed.length - length, mode);
        if (length == packed.length) {
          return null;
        }
      }
      return Arrays.copyOf(packed, length);
    }
  }

  private static byte[] packZstd(byte[] cluster) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(cluster.length);
      MemorySegment.copy(cluster, 0, source, ValueLayout.JAVA_BYTE, 0, cluster.length);
      MemorySegment target = arena.allocate(cluster.length - 1L);
      long length = Zstd.compress(source, target, ZSTD_LEVEL);
      return length < 0 ? null : target.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    }
  }
}
