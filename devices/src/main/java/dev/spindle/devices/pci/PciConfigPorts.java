// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.bus.BusDevice;

/**
 * Configuration mechanism #1 (PCI 3.0, 3.2.2.3.2): the address register at port 0xCF8 and the data
 * window at 0xCFC, eight ports in all.
 *
 * <p>Only a write of 32 bits reaches the address register. Byte accesses to port 0xCF9, in its
 * midst, belong to the chipset's reset register.
 */
public final class PciConfigPorts implements BusDevice {
  private static final long ADDRESS = 0;
  private static final long RESET = 1;
  private static final long DATA = 4;
  private static final int ADDRESS_ENABLE = 1 << 31;
  private static final int ADDRESS_WRITABLE = 0x80FFFFFC;

  private final PciHostBridge bridge;
  private final BusDevice resetRegister;

  /** Written by vCPUs; the guest keeps them from disturbing each other. */
  private volatile int address;

  /**
   * @param resetRegister what answers byte accesses to port 0xCF9, at its offset 0
   */
  public PciConfigPorts(PciHostBridge bridge, BusDevice resetRegister) {
    this.bridge = bridge;
    this.resetRegister = resetRegister;
  }

  @Override
  public long read(long offset, int size) {
    if (offset == ADDRESS && size == 4) {
      return address;
    }
    if (offset == RESET && size == 1) {
      return resetRegister.read(0, 1);
    }
    int now = address;
    if (!isData(offset, size) || (now & ADDRESS_ENABLE) == 0) {
      return Bus.allOnes(size);
    }
    return bridge.readConfig(bus(now), slot(now), function(now), register(now, offset), size);
  }

  @Override
  public void write(long offset, int size, long value) {
    int now = address;
    if (offset == ADDRESS && size == 4) {
      address = (int) value & ADDRESS_WRITABLE;
    } else if (offset == RESET && size == 1) {
      resetRegister.write(0, 1, value);
    } else if (isData(offset, size) && (now & ADDRESS_ENABLE) != 0) {
      bridge.writeConfig(bus(now), slot(now), function(now), register(now, offset), size, value);
    }
  }

  private static boolean isData(long offset, int size) {
    return offset >= DATA && offset + size <= DATA + 4;
  }

  private static int bus(int address) {
    return (address >>> 16) & 0xFF;
  }

  private static int slot(int address) {
    return (address >>> 11) & 0x1F;
  }

  private static int function(int address) {
    return (address >>> 8) & 0x7;
  }

  private static int register(int address, long offset) {
    return (address & 0xFC) + (int) (offset - DATA);
  }
}
