// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.bus.BusDevice;

/**
 * The memory-mapped configuration space of 256 buses (PCI Express 5.0, 7.2.2): 1 MiB a bus, 32 KiB
 * a slot, 4 KiB a function.
 */
public final class PciEcam implements BusDevice {
  private static final long LENGTH = 256L << 20;

  private final PciHostBridge bridge;

  public PciEcam(PciHostBridge bridge) {
    this.bridge = bridge;
  }

  @Override
  public long read(long offset, int size) {
    return isInside(offset)
        ? bridge.readConfig(bus(offset), slot(offset), function(offset), register(offset), size)
        : Bus.allOnes(size);
  }

  @Override
  public void write(long offset, int size, long value) {
    if (isInside(offset)) {
      bridge.writeConfig(
          bus(offset), slot(offset), function(offset), register(offset), size, value);
    }
  }

  private static boolean isInside(long offset) {
    return offset >= 0 && offset < LENGTH;
  }

  private static int bus(long offset) {
    return (int) (offset >>> 20);
  }

  private static int slot(long offset) {
    return (int) (offset >>> 15) & 0x1F;
  }

  private static int function(long offset) {
    return (int) (offset >>> 12) & 0x7;
  }

  private static int register(long offset) {
    return (int) offset & 0xFFF;
  }
}
