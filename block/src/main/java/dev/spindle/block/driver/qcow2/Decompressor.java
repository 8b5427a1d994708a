// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.Zstd;
import java.lang.foreign.ValueLayout;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Unpacks compressed clusters, of which it keeps the last one. Any thread. */
final class Decompressor {
  /** A cluster's descriptor and what it unpacks to; not changed. */
  private record Unpacked(long descriptor, byte[] data) {}

  private final Geometry geometry;
  private final boolean zstd;
  private volatile Unpacked last = new Unpacked(0, new byte[0]);

  /** For the clusters of an image. */
  Decompressor(Qcow2Header header) {
    this.geometry = Geometry.of(header);
    this.zstd = header.compressionType() != 0;
  }

  /** Some data has been put where other data was. */
  void forget() {
    last = new Unpacked(0, new byte[0]);
  }

  /**
   * Reads a compressed cluster. Waits.
   *
   * @return its contents, not to be changed
   */
  byte[] read(Storage file, long descriptor) throws Qcow2Exception {
    Unpacked kept = last;
    if (kept.descriptor == descriptor) {
      return kept.data;
    }
    long offset = Compressed.offset(geometry, descriptor);
    if (offset >= file.length()) {
      throw new Qcow2Exception(
          "A compressed cluster is said to be at %#x, past the end of the file".formatted(offset));
    }
    int bytes = Compressed.bytes(geometry, descriptor);
    byte[] data = zstd ? unpackZstd(file, offset, bytes) : inflate(file, offset, bytes);
    last = new Unpacked(descriptor, data);
    return data;
  }

  private byte[] unpackZstd(Storage file, long offset, int bytes) throws Qcow2Exception {
    try (BounceBuffers.Buffer packed = file.buffers().take(bytes);
        BounceBuffers.Buffer data = file.buffers().take(geometry.clusterSize())) {
      file.read(offset, packed.memory());
      if (!Zstd.decompress(packed.memory(), data.memory())) {
        throw broken(offset);
      }
      return data.memory().toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private byte[] inflate(Storage file, long offset, int bytes) throws Qcow2Exception {
    byte[] packed = Bytes.read(file, offset, bytes);
    byte[] data = new byte[geometry.clusterSize()];
    try (Inflater inflater = new Inflater(true)) {
      inflater.setInput(packed);
      int done = 0;
      while (done < data.length) {
        int some = inflater.inflate(data, done, data.length - done);
        if (some == 0) {
          throw broken(offset);
        }
        done += some;
      }
      return data;
    } catch (DataFormatException e) {
      throw broken(offset);
    }
  }

  private static Qcow2Exception broken(long offset) {
    return new Qcow2Exception("The compressed cluster at %#x cannot be unpacked".formatted(offset));
  }
}
