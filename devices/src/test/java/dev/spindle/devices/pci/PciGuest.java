// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.bus.ByteDevice;
import dev.spindle.devices.irq.FakeIrqLine;
import dev.spindle.devices.platform.PlatformLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A machine with nothing but PCI, and the accesses a guest's PCI code makes. */
final class PciGuest {
  final Bus ports = new Bus("port");
  final Bus memory = new Bus("memory");
  final List<FakeIrqLine> lines = Stream.generate(FakeIrqLine::new).limit(4).toList();
  final List<Integer> resets = new ArrayList<>();
  final PciHostBridge bridge =
      new PciHostBridge(
          ports,
          memory,
          new PciWindows(
              PlatformLayout.PCI_PORTS,
              PlatformLayout.PCI_MEMORY32,
              PlatformLayout.pciMemory64(0x1_4000_0000L)),
          lines);

  PciGuest() {
    ByteDevice resetRegister =
        new ByteDevice() {
          @Override
          public int readByte(long offset) {
            return 0x5A;
          }

          @Override
          public void writeByte(long offset, int value) {
            resets.add(value);
          }
        };
    ports.add(PlatformLayout.PCI_CONFIG, new PciConfigPorts(bridge, resetRegister));
    memory.add(PlatformLayout.PCI_ECAM, new PciEcam(bridge));
  }

  /** Reads configuration space through ports, as Linux' pci_conf1_read does. */
  long conf1Read(int slot, int register, int size) {
    ports.write(0xCF8, 4, 0x8000_0000L | (slot << 11) | (register & 0xFC));
    return ports.read(0xCFC + (register & 3), size);
  }

  void conf1Write(int slot, int register, int size, long value) {
    ports.write(0xCF8, 4, 0x8000_0000L | (slot << 11) | (register & 0xFC));
    ports.write(0xCFC + (register & 3), size, value);
  }

  /** Reads configuration space through memory, as Linux' pci_mmcfg_read does. */
  long read(int slot, int register, int size) {
    return memory.read(ecam(slot, register), size);
  }

  void write(int slot, int register, int size, long value) {
    memory.write(ecam(slot, register), size, value);
  }

  static long ecam(int slot, int register) {
    return PlatformLayout.PCI_ECAM.base() + ((long) slot << 15) + register;
  }

  /** Sizes a BAR as Linux' __pci_read_base does: decoding off, all ones, put back. */
  AddressRange sizeBar(int slot, int bar) {
    int register = 0x10 + 4 * bar;
    long command = read(slot, 4, 2);
    write(slot, 4, 2, command & ~3);
    long old = read(slot, register, 4);
    write(slot, register, 4, 0xFFFF_FFFFL);
    long mask = read(slot, register, 4);
    write(slot, register, 4, old);
    boolean isIo = (old & 1) != 0;
    long base = old & (isIo ? ~3 : ~0xF);
    long sizeMask = (mask & (isIo ? ~3L : ~0xFL)) | 0xFFFF_FFFF_0000_0000L;
    if (!isIo && (old & 6) == 4) {
      long oldHigh = read(slot, register + 4, 4);
      write(slot, register + 4, 4, 0xFFFF_FFFFL);
      long maskHigh = read(slot, register + 4, 4);
      write(slot, register + 4, 4, oldHigh);
      base |= oldHigh << 32;
      sizeMask = (mask & ~0xFL) | (maskHigh << 32);
    }
    write(slot, 4, 2, command);
    return mask == 0 ? null : new AddressRange(base, -sizeMask);
  }
}
