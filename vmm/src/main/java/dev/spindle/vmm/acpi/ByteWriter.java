// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing little-endian byte sequence, the form of every ACPI table. */
public final class ByteWriter {
  private byte[] bytes = new byte[256];
  private int length;

  /** Returns how many bytes have been written. */
  public int length() {
    return length;
  }

  /** Appends the low 8 bits of {@code value}. */
  public ByteWriter u8(int value) {
    if (length == bytes.length) {
      bytes = Arrays.copyOf(bytes, length * 2);
    }
    bytes[length++] = (byte) value;
    return this;
  }

  /** Appends the low 16 bits of {@code value}. */
  public ByteWriter u16(int value) {
    return u8(value).u8(value >> 8);
  }

  /** Appends the 32 bits of {@code value}. */
  public ByteWriter u32(int value) {
    return u16(value).u16(value >> 16);
  }

  /** Appends the 64 bits of {@code value}. */
  public ByteWriter u64(long value) {
    return u32((int) value).u32((int) (value >> 32));
  }

  /** Appends {@code data} as it is. */
  public ByteWriter bytes(byte[] data) {
    for (byte b : data) {
      u8(b);
    }
    return this;
  }

  /** Appends {@code text} as ASCII, cut or padded with {@code pad} to {@code width} bytes. */
  public ByteWriter ascii(String text, int width, char pad) {
    for (int i = 0; i < width; i++) {
      u8(i < text.length() ? text.charAt(i) : pad);
    }
    return this;
  }

  /** Appends {@code text} as ASCII followed by a zero byte. */
  public ByteWriter asciiz(String text) {
    return bytes(text.getBytes(StandardCharsets.US_ASCII)).u8(0);
  }

  /** Appends {@code count} zero bytes. */
  public ByteWriter zeros(int count) {
    for (int i = 0; i < count; i++) {
      u8(0);
    }
    return this;
  }

  /** Replaces the 32-bit value at {@code offset}, which must already have been written. */
  public ByteWriter setU32(int offset, int value) {
    for (int i = 0; i < 4; i++) {
      setU8(offset + i, value >> (8 * i));
    }
    return this;
  }

  /** Replaces the byte at {@code offset}, which must already have been written. */
  public ByteWriter setU8(int offset, int value) {
    if (offset < 0 || offset >= length) {
      throw new IndexOutOfBoundsException(offset);
    }
    bytes[offset] = (byte) value;
    return this;
  }

  /**
   * Returns the byte that makes {@code size} bytes from {@code offset} sum to zero, if the checksum
   * byte among them is zero now.
   */
  public int checksum(int offset, int size) {
    int sum = 0;
    for (int i = 0; i < size; i++) {
      sum += bytes[offset + i];
    }
    return -sum & 0xFF;
  }

  /** Returns a copy of what has been written. */
  public byte[] toByteArray() {
    return Arrays.copyOf(bytes, length);
  }
}
