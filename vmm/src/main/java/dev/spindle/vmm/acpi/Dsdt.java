// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import static dev.spindle.vmm.acpi.Aml.and;
import static dev.spindle.vmm.acpi.Aml.arg;
import static dev.spindle.vmm.acpi.Aml.createDwordField;
import static dev.spindle.vmm.acpi.Aml.device;
import static dev.spindle.vmm.acpi.Aml.eisaId;
import static dev.spindle.vmm.acpi.Aml.equal;
import static dev.spindle.vmm.acpi.Aml.ifTrue;
import static dev.spindle.vmm.acpi.Aml.integer;
import static dev.spindle.vmm.acpi.Aml.method;
import static dev.spindle.vmm.acpi.Aml.name;
import static dev.spindle.vmm.acpi.Aml.not;
import static dev.spindle.vmm.acpi.Aml.or;
import static dev.spindle.vmm.acpi.Aml.otherwise;
import static dev.spindle.vmm.acpi.Aml.packageOf;
import static dev.spindle.vmm.acpi.Aml.reference;
import static dev.spindle.vmm.acpi.Aml.resourceTemplate;
import static dev.spindle.vmm.acpi.Aml.returns;
import static dev.spindle.vmm.acpi.Aml.scope;
import static dev.spindle.vmm.acpi.Aml.string;
import static dev.spindle.vmm.acpi.Aml.uuid;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The differentiated system description: the devices a guest cannot find by probing. */
final class Dsdt {
  /** What the host bridge's {@code _OSC} hands over: everything but AER and LTR. */
  private static final long GRANTED_FEATURES = 0x15;

  private static final int PCI_SLOTS = 32;
  private static final int PCI_INTERRUPTS = 4;

  private Dsdt() {}

  /** Returns the byte code that follows the table header. */
  static byte[] definitionBlock(AcpiPlatform platform) {
    List<AmlTerm> devices = new ArrayList<>();
    for (int cpu = 0; cpu < platform.cpus(); cpu++) {
      devices.add(processor(cpu));
    }
    devices.add(hostBridge(platform));
    devices.add(motherboard(platform));
    for (int i = 0; i < platform.serialPorts().size(); i++) {
      devices.add(serialPort(i + 1, platform.serialPorts().get(i)));
    }
    devices.add(realTimeClock(platform.rtc()));

    ByteWriter out = new ByteWriter();
    scope("\\_SB", devices.toArray(AmlTerm[]::new)).writeTo(out);
    PciHotplugAml.ofEvent("\\_SB.PCI0", platform.hotplug()).writeTo(out);
    AmlTerm sleepType = integer(platform.power().s5SleepType());
    name("\\_S5", packageOf(List.of(sleepType, sleepType, integer(0), integer(0)))).writeTo(out);
    return out.toByteArray();
  }

  private static AmlTerm processor(int cpu) {
    return device(
        String.format(Locale.ROOT, "C%03X", cpu),
        name("_HID", string("ACPI0007")),
        name("_UID", integer(cpu)));
  }

  private static AmlTerm hostBridge(AcpiPlatform platform) {
    AcpiPlatform.Pci pci = platform.pci();
    List<AmlResource> windows = new ArrayList<>();
    windows.add(new AmlResource.BusWindow(0, pci.buses()));
    windows.add(new AmlResource.Ports(0xCF8, 8));
    windows.add(new AmlResource.PortWindow(0, 0xCF8));
    windows.add(new AmlResource.PortWindow(0xD00, 0x1_0000 - 0xD00));
    windows.add(new AmlResource.MemoryWindow32(pci.window32().base(), pci.window32().length()));
    windows.add(new AmlResource.MemoryWindow64(pci.window64().base(), pci.window64().length()));
    return device(
        "PCI0",
        name("_HID", eisaId("PNP0A08")),
        name("_CID", eisaId("PNP0A03")),
        name("_SEG", integer(0)),
        name("_BBN", integer(0)),
        name("_UID", integer(0)),
        name("_CRS", resourceTemplate(windows.toArray(AmlResource[]::new))),
        name("_PRT", interruptRouting(pci)),
        osControl(),
        PciHotplugAml.inHostBridge(platform.hotplug()));
  }

  /** Where INTA# of each slot leads: straight to an I/O APIC input, without link devices. */
  private static AmlTerm interruptRouting(AcpiPlatform.Pci pci) {
    List<AmlTerm> routes = new ArrayList<>();
    for (int slot = 0; slot < PCI_SLOTS; slot++) {
      int gsi = pci.firstInterrupt() + slot % PCI_INTERRUPTS;
      routes.add(
          packageOf(
              List.of(integer((long) slot << 16 | 0xFFFF), integer(0), integer(0), integer(gsi))));
    }
    return packageOf(routes);
  }

  /** {@code _OSC} of a PCI Express host bridge (PCI Firmware Specification 3.3, section 4.5). */
  private static AmlTerm osControl() {
    AmlTerm status = reference("CDW1");
    AmlTerm control = reference("CDW3");
    return method(
        "_OSC",
        4,
        createDwordField(arg(3), 0, "CDW1"),
        ifTrue(
            equal(arg(0), uuid("33DB4D5B-1FF7-401C-9657-7441C03DD766")),
            createDwordField(arg(3), 8, "CDW3"),
            and(control, integer(GRANTED_FEATURES), control),
            ifTrue(not(equal(arg(1), integer(1))), or(status, integer(0x08), status))),
        otherwise(or(status, integer(0x04), status)),
        returns(arg(3)));
  }

  /** Claims the configuration window, or Linux would not trust the MCFG table. */
  private static AmlTerm motherboard(AcpiPlatform platform) {
    AcpiPlatform.Pci pci = platform.pci();
    return device(
        "MBRD",
        name("_HID", eisaId("PNP0C02")),
        name("_UID", integer(0)),
        name(
            "_CRS",
            resourceTemplate(
                new AmlResource.FixedMemory(pci.ecamBase(), (long) pci.buses() << 20),
                new AmlResource.Ports(platform.power().eventBlock(), 4),
                new AmlResource.Ports(platform.power().controlBlock(), 2),
                new AmlResource.Ports(platform.power().timer(), 4),
                new AmlResource.Ports(platform.power().generalEvents(), 4),
                new AmlResource.Ports(platform.hotplug().registers(), 12))));
  }

  private static AmlTerm serialPort(int number, AcpiPlatform.IsaDevice port) {
    return device(
        "COM" + number,
        name("_HID", eisaId("PNP0501")),
        name("_UID", integer(number)),
        name("_CRS", isaResources(port)));
  }

  private static AmlTerm realTimeClock(AcpiPlatform.IsaDevice rtc) {
    return device("RTC", name("_HID", eisaId("PNP0B00")), name("_CRS", isaResources(rtc)));
  }

  private static AmlTerm isaResources(AcpiPlatform.IsaDevice device) {
    return resourceTemplate(
        new AmlResource.Ports(device.port(), device.ports()), new AmlResource.IsaIrq(device.irq()));
  }
}
