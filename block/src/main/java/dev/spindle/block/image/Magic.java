// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** Bytes by which images of a format are known, at one place in each. Any thread. */
public final class Magic {
  private final int offset;
  private final MemorySegment bytes;

  private Magic(int offset, byte[] bytes) {
    this.offset = offset;
    this.bytes = MemorySegment.ofArray(bytes).asReadOnly();
  }

  /**
   * Describes them.
   *
   * @param offset of the first one in the image
   * @param latin1 each character stands for the byte of its number
   */
  public static Magic at(int offset, String latin1) {
    return new Magic(offset, latin1.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Whether an image that begins with {@code head} has them. */
  public boolean isIn(MemorySegment head) {
    long end = offset + bytes.byteSize();
    return head.byteSize() >= end
        && MemorySegment.mismatch(head, offset, end, bytes, 0, bytes.byteSize()) < 0;
  }
}
