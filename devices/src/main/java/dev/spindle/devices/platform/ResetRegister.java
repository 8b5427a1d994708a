// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.ByteDevice;

/**
 * The chipset's reset register, one byte at port 0xCF9: bit 1 chooses a hard reset, bit 2 resets.
 * It is also ACPI's reset register (ACPI 6.5, 4.8.3.6).
 */
public final class ResetRegister implements ByteDevice {
  private static final int HARD = 1 << 1;
  private static final int RESET = 1 << 2;

  private final PowerControl power;

  /** Written by vCPUs. */
  private volatile int value;

  public ResetRegister(PowerControl power) {
    this.power = power;
  }

  @Override
  public int readByte(long offset) {
    return offset == 0 ? value : 0xFF;
  }

  @Override
  public void writeByte(long offset, int value) {
    if (offset == 0) {
      this.value = value & HARD;
      if ((value & RESET) != 0) {
        power.requestReset();
      }
    }
  }

  /** Goes back to the state after power-on. */
  public void reset() {
    value = 0;
  }
}
