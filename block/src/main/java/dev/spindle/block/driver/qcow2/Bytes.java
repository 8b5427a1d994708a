// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BounceBuffers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Small pieces of metadata between a file and the heap. */
final class Bytes {
  private Bytes() {}

  /** Reads; what lies past the end of the file is zero. */
  static byte[] read(Storage file, long offset, int length) throws Qcow2Exception {
    try (BounceBuffers.Buffer buffer = file.buffers().take(length)) {
      file.read(offset, buffer.memory());
      return buffer.memory().toArray(ValueLayout.JAVA_BYTE);
    }
  }

  /** Writes. */
  static void write(Storage file, long offset, byte[] bytes) throws Qcow2Exception {
    write(file, offset, bytes, 0, bytes.length);
  }

  /** Writes a part. */
  static void write(Storage file, long offset, byte[] bytes, int start, int length)
      throws Qcow2Exception {
    try (BounceBuffers.Buffer buffer = file.buffers().take(length)) {
      MemorySegment.copy(bytes, start, buffer.memory(), ValueLayout.JAVA_BYTE, 0, length);
      file.write(offset, buffer.memory());
    }
  }

  /** Big-endian numbers, read. */
  static long[] readLongs(Storage file, long offset, int count) throws Qcow2Exception {
    long[] numbers = new long[count];
    var layout = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    int piece = 1 << 17;
    for (int done = 0; done < count; done += piece) {
      int some = Math.min(piece, count - done);
      byte[] bytes = read(file, offset + 8L * done, some * 8);
      MemorySegment.copy(MemorySegment.ofArray(bytes), layout, 0, numbers, done, some);
    }
    return numbers;
  }

  /** Numbers as big-endian bytes. */
  static byte[] ofLongs(long[] numbers, int start, int count) {
    byte[] bytes = new byte[count * 8];
    var layout = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    MemorySegment.copy(numbers, start, MemorySegment.ofArray(bytes), layout, 0, count);
    return bytes;
  }
}
