// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import java.util.List;

/**
 * What a guest finds in a slot.
 *
 * @param classCode base class and subclass
 * @param interruptPin 0 for none, 1 for INTA#
 * @param interruptLine as the guest has noted it
 */
public record PciFunctionInfo(
    int slot,
    int vendorId,
    int deviceId,
    int subsystemVendorId,
    int subsystemId,
    int classCode,
    int interruptPin,
    int interruptLine,
    List<Region> regions) {
  /**
   * A base address register.
   *
   * @param address where the guest has put it, decoded or not
   * @param size bytes
   */
  public record Region(int bar, BarKind kind, long address, long size) {}

  /** With the bridge's lock held. */
  static PciFunctionInfo of(int slot, PciDevice device) {
    List<Region> regions =
        device.bars().stream()
            .map(bar -> new Region(bar.index, bar.kind, bar.address(), bar.size))
            .toList();
    return new PciFunctionInfo(
        slot,
        read(device, 0x00, 2),
        read(device, 0x02, 2),
        read(device, 0x2C, 2),
        read(device, 0x2E, 2),
        read(device, 0x0A, 2),
        read(device, PciDevice.INTERRUPT_LINE + 1, 1),
        read(device, PciDevice.INTERRUPT_LINE, 1),
        regions);
  }

  private static int read(PciDevice device, int offset, int size) {
    return (int) device.readConfig(offset, size);
  }
}
