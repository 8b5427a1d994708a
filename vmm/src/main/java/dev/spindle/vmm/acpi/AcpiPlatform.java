// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import java.util.List;

/**
 * What the tables have to say about one machine.
 *
 * @param cpus number of vCPUs, whose APIC ids are 0 to {@code cpus - 1}
 * @param ioApicId APIC id of the I/O APIC
 * @param power the power-management registers
 * @param pci the PCI host bridge
 * @param hotplug how its devices come and go
 * @param serialPorts 16550 ports, COM1 first
 * @param rtc first port and interrupt of the CMOS real-time clock
 */
public record AcpiPlatform(
    int cpus,
    int ioApicId,
    Power power,
    Pci pci,
    PciHotplug hotplug,
    List<IsaDevice> serialPorts,
    IsaDevice rtc) {

  public AcpiPlatform {
    serialPorts = List.copyOf(serialPorts);
  }

  /**
   * The fixed ACPI hardware (ACPI 6.5, section 4.8), all in I/O port space.
   *
   * @param eventBlock PM1a event block: 16-bit status, 16-bit enable
   * @param controlBlock PM1a control block, 16 bits
   * @param timer PM timer, 32 bits wide
   * @param generalEvents GPE0 block: 16-bit status, 16-bit enable
   * @param sciIrq the global system interrupt of the SCI, level-triggered and active high
   * @param resetPort the port of the reset register
   * @param resetValue the byte that resets the machine when written to it
   * @param s5SleepType the SLP_TYP value that means power off
   */
  public record Power(
      int eventBlock,
      int controlBlock,
      int timer,
      int generalEvents,
      int sciIrq,
      int resetPort,
      int resetValue,
      int s5SleepType) {}

  /**
   * The PCI host bridge of segment 0.
   *
   * @param ecamBase guest-physical address of the configuration space of bus 0
   * @param buses number of buses, from bus 0; each takes 1 MiB of configuration space
   * @param window32 memory window below 4 GiB for BARs
   * @param window64 memory window above all RAM for 64-bit BARs
   * @param firstInterrupt global system interrupt of the interrupt pins of slots 0, 4, 8…; the
   *     other slots have the three after it
   */
  public record Pci(
      long ecamBase, int buses, Window window32, Window window64, int firstInterrupt) {}

  /**
   * How devices come to slots and are taken out of them while the guest runs.
   *
   * @param event the general-purpose event that tells of it
   * @param registers first port of three registers of 32 bits, with one bit for each slot: those
   *     that a device has come to, those whose devices are to go (both cleared by reading), and
   *     those to be emptied now (written)
   */
  public record PciHotplug(int event, int registers) {}

  /** A range of guest-physical addresses, in bytes. */
  public record Window(long base, long length) {}

  /**
   * A device at fixed I/O ports.
   *
   * @param port its first port
   * @param ports how many ports it answers at
   * @param irq its ISA interrupt, edge-triggered
   */
  public record IsaDevice(int port, int ports, int irq) {}
}
