// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.ByteDevice;

/** Port 0x80, where firmware shows its progress and Linux writes to pass the time. */
public final class PostCodePort implements ByteDevice {
  /** Written by vCPUs. */
  private volatile int code;

  @Override
  public int readByte(long offset) {
    return offset == 0 ? code : 0xFF;
  }

  @Override
  public void writeByte(long offset, int value) {
    if (offset == 0) {
      code = value;
    }
  }
}
