// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.AddressRange;

/**
 * The addresses a host bridge passes on to its devices. A base address register that points
 * elsewhere, over RAM say, decodes nothing.
 *
 * @param ports I/O ports
 * @param memory32 memory below 4 GiB
 * @param memory64 memory above 4 GiB
 */
public record PciWindows(AddressRange ports, AddressRange memory32, AddressRange memory64) {
  /** Where a BAR is placed when the guest has no say. */
  AddressRange of(BarKind kind) {
    return switch (kind) {
      case IO -> ports;
      case MEMORY32 -> memory32;
      case MEMORY64 -> memory64;
    };
  }

  boolean pass(BarKind kind, AddressRange range) {
    return switch (kind) {
      case IO -> ports.contains(range);
      case MEMORY32 -> memory32.contains(range);
      case MEMORY64 -> memory32.contains(range) || memory64.contains(range);
    };
  }
}
