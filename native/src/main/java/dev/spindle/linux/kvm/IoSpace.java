// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

/** The two address spaces in which a guest reaches a device. */
public enum IoSpace {
  /** Guest-physical memory addresses. */
  MMIO,
  /** I/O ports, 0 to 65535. */
  PIO
}
