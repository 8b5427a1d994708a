// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.bus;

/**
 * Registers that a guest reads and writes through I/O ports or through memory.
 *
 * <p>Called by any vCPU thread, by several at once; each device keeps its own state consistent.
 * Neither method may throw or wait for a guest's sake: whatever a guest does is an access like any
 * other, and what means nothing to the device reads as all ones or is dropped.
 */
public interface BusDevice {
  /**
   * Reads {@code size} bytes, little-endian, from {@code offset} bytes after the device's first
   * address.
   *
   * @param offset not necessarily a multiple of {@code size}; through a {@link Bus} the access lies
   *     wholly inside the device's range
   * @param size 1, 2, 4 or 8
   * @return the value; bits above {@code size} bytes are ignored
   */
  long read(long offset, int size);

  /**
   * Writes the low {@code size} bytes of {@code value}, little-endian.
   *
   * @param offset as for {@link #read}
   * @param size 1, 2, 4 or 8
   * @param value bits above {@code size} bytes may be anything
   */
  void write(long offset, int size, long value);
}
