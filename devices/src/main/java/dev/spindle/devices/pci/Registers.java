// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

/**
 * Bytes of which a guest may change only some bits. Bits outside, and accesses past the end, read
 * as ones and swallow writes. Not thread-safe; whoever has it has a lock.
 */
final class Registers {
  private final byte[] values;
  private final byte[] writable;
  private final byte[] clearable;

  Registers(int length) {
    values = new byte[length];
    writable = new byte[length];
    clearable = new byte[length];
  }

  /** What a guest reads: {@code size} bytes, 1 to 8, from any offset of 0 or more. */
  long read(long offset, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      long at = offset + i;
      long b = at >= 0 && at < values.length ? values[(int) at] & 0xFF : 0xFF;
      value |= b << (8 * i);
    }
    return value;
  }

  /** What a guest writes: only writable bits change, and ones clear clearable bits. */
  void write(long offset, int size, long value) {
    for (int i = 0; i < size; i++) {
      long at = offset + i;
      if (at >= 0 && at < values.length) {
        int index = (int) at;
        int b = (int) (value >>> (8 * i));
        int kept = values[index] & ~writable[index];
        values[index] = (byte) ((kept | (b & writable[index])) & ~(b & clearable[index]));
      }
    }
  }

  /** Sets {@code size} bytes whatever their masks say. */
  void set(int offset, int size, long value) {
    for (int i = 0; i < size; i++) {
      values[offset + i] = (byte) (value >>> (8 * i));
    }
  }

  /** Says which bits of {@code size} bytes a guest's write changes. */
  void allowWrite(int offset, int size, long mask) {
    for (int i = 0; i < size; i++) {
      writable[offset + i] = (byte) (mask >>> (8 * i));
    }
  }

  /** Says which bits of {@code size} bytes a guest's write of one clears (RW1C). */
  void allowClear(int offset, int size, long mask) {
    for (int i = 0; i < size; i++) {
      clearable[offset + i] = (byte) (mask >>> (8 * i));
    }
  }

  /** Zeroes every bit a guest may change. */
  void reset() {
    for (int i = 0; i < values.length; i++) {
      values[i] &= (byte) ~(writable[i] | clearable[i]);
    }
  }
}
