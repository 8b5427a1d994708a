// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.BusDevice;

/** One base address register of one device. Protected by the host bridge's lock. */
final class PciBar {
  private static final int IO_TYPE = 0x1;
  private static final int MEMORY64_TYPE = 0x4;

  final int index;
  final BarKind kind;
  final long size;
  final BusDevice device;

  /** Where the device answers now, or null. */
  AddressRange mapped;

  private final Registers config;

  PciBar(Registers config, int index, BarKind kind, long size, BusDevice device) {
    long smallest = kind == BarKind.IO ? 4 : 16;
    long largest = kind == BarKind.IO ? 256 : kind == BarKind.MEMORY32 ? 1L << 31 : 1L << 40;
    if (Long.bitCount(size) != 1 || size < smallest || size > largest) {
      throw new IllegalArgumentException(
          "BAR %d cannot have 0x%x bytes: %s takes a power of two from 0x%x to 0x%x"
              .formatted(index, size, kind, smallest, largest));
    }
    if (index < 0 || index + registers(kind) > 6) {
      throw new IllegalArgumentException("there is no BAR %d of kind %s".formatted(index, kind));
    }
    this.config = config;
    this.index = index;
    this.kind = kind;
    this.size = size;
    this.device = device;
    config.allowWrite(offset(), 4 * registers(kind), -size);
    config.set(
        offset(),
        4,
        switch (kind) {
          case IO -> IO_TYPE;
          case MEMORY32 -> 0;
          case MEMORY64 -> MEMORY64_TYPE;
        });
  }

  static int registers(BarKind kind) {
    return kind == BarKind.MEMORY64 ? 2 : 1;
  }

  private int offset() {
    return PciDevice.BAR0 + 4 * index;
  }

  long address() {
    return config.read(offset(), 4 * registers(kind)) & -size;
  }

  void assign(long address) {
    config.write(offset(), 4 * registers(kind), address);
  }

  /** Where the guest's registers say the device should answer, or null if nowhere. */
  AddressRange wanted() {
    int enable = kind == BarKind.IO ? PciDevice.COMMAND_IO : PciDevice.COMMAND_MEMORY;
    long address = address();
    boolean isAddress = address >= 0 && address <= Long.MAX_VALUE - (size - 1);
    return (config.read(PciDevice.COMMAND, 2) & enable) != 0 && isAddress
        ? new AddressRange(address, size)
        : null;
  }
}
