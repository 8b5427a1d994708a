// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

/** The kinds of base address register (PCI 3.0, 6.2.5.1). Memory is never prefetchable. */
public enum BarKind {
  /** I/O ports. */
  IO,
  /** Memory below 4 GiB. */
  MEMORY32,
  /** Memory anywhere; takes this register and the next. */
  MEMORY64
}
