// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.bus;

/**
 * A device of byte-wide registers, as the PC's old I/O devices are. A wider access touches one
 * register after the other, lowest address first, as the ISA bus does.
 */
public interface ByteDevice extends BusDevice {
  /** Reads the register at {@code offset}: 0 to 255, or 0xFF where there is no register. */
  int readByte(long offset);

  /** Writes {@code value}, 0 to 255, to the register at {@code offset}. */
  void writeByte(long offset, int value);

  @Override
  default long read(long offset, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      value |= (readByte(offset + i) & 0xFFL) << (8 * i);
    }
    return value;
  }

  @Override
  default void write(long offset, int size, long value) {
    for (int i = 0; i < size; i++) {
      writeByte(offset + i, (int) (value >>> (8 * i)) & 0xFF);
    }
  }
}
