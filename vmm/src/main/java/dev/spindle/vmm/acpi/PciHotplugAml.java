// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.acpi;

import static dev.spindle.vmm.acpi.Aml.and;
import static dev.spindle.vmm.acpi.Aml.device;
import static dev.spindle.vmm.acpi.Aml.ifTrue;
import static dev.spindle.vmm.acpi.Aml.integer;
import static dev.spindle.vmm.acpi.Aml.local;
import static dev.spindle.vmm.acpi.Aml.method;
import static dev.spindle.vmm.acpi.Aml.name;
import static dev.spindle.vmm.acpi.Aml.nowhere;
import static dev.spindle.vmm.acpi.Aml.reference;
import static dev.spindle.vmm.acpi.Aml.scope;
import static dev.spindle.vmm.acpi.Aml.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a guest does when PCI devices come and go: the general-purpose event's method reads which
 * slots it is about and tells the operating system of each; the slots' {@code _EJ0} takes a device
 * out (ACPI 6.5, sections 5.6.6 and 6.3.3).
 */
final class PciHotplugAml {
  private static final int FIRST_SLOT = 1; // The host bridge, in slot 0, stays.
  private static final int SLOTS = 32;
  private static final int REGISTER_BYTES = 4;

  private static final int DEVICE_CHECK = 1;
  private static final int EJECT_REQUEST = 3;

  private static final String REGISTERS = "PHPR";
  private static final String UP = "PHUP";
  private static final String DOWN = "PHDN";
  private static final String EJECT = "PHEJ";
  private static final String TELL = "PHTL";

  private PciHotplugAml() {}

  /** Terms for the scope of the host bridge. */
  static AmlTerm inHostBridge(AcpiPlatform.PciHotplug hotplug) {
    List<AmlTerm> terms = new ArrayList<>();
    terms.add(Aml.portRegion(REGISTERS, hotplug.registers(), 3 * REGISTER_BYTES));
    terms.add(Aml.dwordFields(REGISTERS, UP, DOWN, EJECT));
    for (int slot = FIRST_SLOT; slot < SLOTS; slot++) {
      terms.add(
          device(
              slotName(slot),
              name("_ADR", integer((long) slot << 16)),
              name("_SUN", integer(slot)),
              method("_EJ0", 1, store(integer(1L << slot), reference(EJECT)))));
    }
    List<AmlTerm> telling = new ArrayList<>();
    tell(telling, UP, DEVICE_CHECK);
    tell(telling, DOWN, EJECT_REQUEST);
    terms.add(Aml.serializedMethod(TELL, telling.toArray(AmlTerm[]::new)));
    return out -> terms.forEach(term -> term.writeTo(out));
  }

  /** The method of the event. */
  static AmlTerm ofEvent(String hostBridge, AcpiPlatform.PciHotplug hotplug) {
    return scope(
        "\\_GPE",
        method(
            String.format(Locale.ROOT, "_E%02X", hotplug.event()),
            0,
            reference(hostBridge + "." + TELL)));
  }

  private static void tell(List<AmlTerm> terms, String register, int notification) {
    AmlTerm slots = local(0);
    terms.add(store(reference(register), slots));
    for (int slot = FIRST_SLOT; slot < SLOTS; slot++) {
      terms.add(
          ifTrue(
              and(slots, integer(1L << slot), nowhere()),
              Aml.notify(reference(slotName(slot)), notification)));
    }
  }

  private static String slotName(int slot) {
    return String.format(Locale.ROOT, "S%03X", slot);
  }
}
