// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * Bytes of an image's metadata, looked at as numbers of one byte order and as text. Whoever asks
 * for what is not inside made a mistake in the code, which throws IndexOutOfBoundsException: what
 * an image says is to be checked before. One thread at a time.
 */
public final class Fields {
  private static final int ALIGNMENT = 4096;

  private final MemorySegment memory;
  private final ByteOrder order;
  private final ValueLayout.OfShort u16;
  private final ValueLayout.OfInt u32;
  private final ValueLayout.OfLong u64;

  private Fields(MemorySegment memory, ByteOrder order) {
    this.memory = memory;
    this.order = order;
    this.u16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order);
    this.u32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(order);
    this.u64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(order);
  }

  /**
   * Zeroes, in memory that can be written to a file as it is.
   *
   * @param bytes how many
   */
  public static Fields zeroes(int bytes, ByteOrder order) {
    return new Fields(Arena.ofAuto().allocate(bytes, ALIGNMENT), order);
  }

  /** A part, which shares its bytes with the whole. */
  public Fields part(int offset, int bytes) {
    return new Fields(memory.asSlice(offset, bytes), order);
  }

  /** The bytes themselves: native memory. */
  public MemorySegment memory() {
    return memory;
  }

  /** How many bytes there are. */
  public int size() {
    return Math.toIntExact(memory.byteSize());
  }

  /** A number of 8 bits. */
  public int u8(int offset) {
    return memory.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
  }

  /** A number of 16 bits. */
  public int u16(int offset) {
    return memory.get(u16, offset) & 0xffff;
  }

  /** A number of 32 bits. */
  public long u32(int offset) {
    return memory.get(u32, offset) & 0xffff_ffffL;
  }

  /** The 64 bits as they are: a number from 2^63 on comes out negative. */
  public long bits64(int offset) {
    return memory.get(u64, offset);
  }

  /**
   * A number of 64 bits.
   *
   * @param what names it in the refusal
   * @throws ImageException if it is 2^63 or more, which nothing in an image is
   */
  public long u64(int offset, String what) throws ImageException {
    long value = bits64(offset);
    if (value < 0) {
      throw new ImageException(what + " is impossible: " + Long.toUnsignedString(value));
    }
    return value;
  }

  /** Some of the bytes, copied. */
  public byte[] bytes(int offset, int length) {
    return memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /** One character for each byte, up to the first zero byte or to {@code length}. */
  public String text(int offset, int length) {
    String text = new String(bytes(offset, length), ISO_8859_1);
    int end = text.indexOf(0);
    return end < 0 ? text : text.substring(0, end);
  }

  /** Whether all of a range is zero. */
  public boolean isZero(int offset, int length) {
    Objects.checkFromIndexSize(offset, length, size());
    for (int i = offset; i < offset + length; i++) {
      if (memory.get(ValueLayout.JAVA_BYTE, i) != 0) {
        return false;
      }
    }
    return true;
  }

  /** Sets 8 bits. Returns this. */
  public Fields put8(int offset, int value) {
    memory.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    return this;
  }

  /** Sets 16 bits. Returns this. */
  public Fields put16(int offset, int value) {
    memory.set(u16, offset, (short) value);
    return this;
  }

  /** Sets 32 bits. Returns this. */
  public Fields put32(int offset, long value) {
    memory.set(u32, offset, (int) value);
    return this;
  }

  /** Sets 64 bits. Returns this. */
  public Fields put64(int offset, long value) {
    memory.set(u64, offset, value);
    return this;
  }

  /** Sets bytes. Returns this. */
  public Fields put(int offset, byte[] bytes) {
    MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, offset, bytes.length);
    return this;
  }

  /** Sets bytes to the characters of a text below 256; no zero byte follows. Returns this. */
  public Fields put(int offset, String text) {
    return put(offset, text.getBytes(ISO_8859_1));
  }
}
