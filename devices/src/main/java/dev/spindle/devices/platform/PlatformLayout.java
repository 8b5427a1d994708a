// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.AddressRange;

/**
 * Where things are in the machine: guest physical addresses, I/O ports and GSIs. RAM ends at the
 * start of {@link #PCI_MEMORY32} and goes on at 4 GiB.
 */
public final class PlatformLayout {
  // ---- Guest physical addresses --------------------------------------------------------------

  /** Where 32-bit BARs go. */
  public static final AddressRange PCI_MEMORY32 = AddressRange.of(0xC000_0000L, 0xDFFF_FFFFL);

  /** Memory-mapped configuration space of PCI buses 0 to 255. */
  public static final AddressRange PCI_ECAM = AddressRange.of(0xE000_0000L, 0xEFFF_FFFFL);

  public static final AddressRange IO_APIC = new AddressRange(0xFEC0_0000L, 0x1000);
  public static final AddressRange LOCAL_APIC = new AddressRange(0xFEE0_0000L, 0x1000);

  // ---- I/O ports -----------------------------------------------------------------------------

  public static final AddressRange I8042_DATA = new AddressRange(0x60, 1);
  public static final AddressRange I8042_COMMAND = new AddressRange(0x64, 1);
  public static final AddressRange RTC = new AddressRange(0x70, 2);
  public static final AddressRange POST_CODE = new AddressRange(0x80, 1);
  public static final AddressRange COM1 = new AddressRange(0x3F8, 8);
  public static final AddressRange COM2 = new AddressRange(0x2F8, 8);
  public static final AddressRange COM3 = new AddressRange(0x3E8, 8);
  public static final AddressRange COM4 = new AddressRange(0x2E8, 8);

  /** ACPI's PM1a event block. */
  public static final AddressRange PM1A_EVENT = new AddressRange(0x600, 4);

  /** ACPI's PM1a control block. */
  public static final AddressRange PM1A_CONTROL = new AddressRange(0x604, 2);

  /** ACPI's power management timer. */
  public static final AddressRange PM_TIMER = new AddressRange(0x608, 4);

  /** ACPI's general-purpose event block GPE0. */
  public static final AddressRange GPE0 = new AddressRange(0x610, 4);

  /** The registers by which PCI devices come and go. */
  public static final AddressRange PCI_HOTPLUG = new AddressRange(0x620, 12);

  /** PCI configuration mechanism #1. */
  public static final AddressRange PCI_CONFIG = new AddressRange(0xCF8, 8);

  /** The reset register, a byte within {@link #PCI_CONFIG}. */
  public static final int RESET_PORT = 0xCF9;

  /** What a write to the reset register must hold to reset the machine. */
  public static final int RESET_VALUE = 0x06;

  /** Where I/O BARs go. */
  public static final AddressRange PCI_PORTS = AddressRange.of(0x1000, 0xFFFF);

  // ---- GSIs ----------------------------------------------------------------------------------

  public static final int GSI_COM2 = 3; // and COM4
  public static final int GSI_COM1 = 4; // and COM3
  public static final int GSI_RTC = 8;

  /** ACPI's system control interrupt: level-triggered, active high. */
  public static final int GSI_SCI = 9;

  /** The first of the four GSIs that PCI interrupt pins share: level-triggered. */
  public static final int GSI_PCI = 16;

  /** How many GSIs PCI interrupt pins share. */
  public static final int PCI_INTERRUPT_LINES = 4;

  /** The general-purpose event that tells the guest of PCI devices which come and go. */
  public static final int GPE_PCI_HOTPLUG = 1;

  private PlatformLayout() {}

  /**
   * The GSI of a PCI slot's interrupt pin on bus 0.
   *
   * @param slot 0 to 31
   * @param pin 0 for INTA# to 3 for INTD#
   */
  public static int pciGsi(int slot, int pin) {
    return GSI_PCI + (slot + pin) % PCI_INTERRUPT_LINES;
  }

  /**
   * Where 64-bit BARs go: 16 GiB from the first GiB boundary above RAM.
   *
   * @param ramEnd the address after the last byte of RAM
   */
  public static AddressRange pciMemory64(long ramEnd) {
    long gib = 1L << 30;
    long base = (Math.max(ramEnd, 4 * gib) + gib - 1) & -gib;
    return new AddressRange(base, 16 * gib);
  }
}
