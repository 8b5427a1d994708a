// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

/**
 * What a PCI function says it is (PCI 3.0, 6.2.1 and 6.2.4).
 *
 * @param vendorId 16 bits
 * @param deviceId 16 bits
 * @param revision 8 bits
 * @param classCode 24 bits: base class, subclass, programming interface
 * @param subsystemVendorId 16 bits
 * @param subsystemId 16 bits
 */
public record PciIdentity(
    int vendorId,
    int deviceId,
    int revision,
    int classCode,
    int subsystemVendorId,
    int subsystemId) {
  public PciIdentity {
    if ((vendorId | deviceId | subsystemVendorId | subsystemId) >>> 16 != 0
        || revision >>> 8 != 0
        || classCode >>> 24 != 0) {
      throw new IllegalArgumentException("a PCI identity has a number that is too wide");
    }
  }
}
