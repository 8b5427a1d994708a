// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.kvm.VmLayouts.IrqRouting;
import dev.spindle.linux.kvm.VmLayouts.IrqRoutingEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Where a global system interrupt (GSI) goes. One GSI may have several routes to chips, or one MSI.
 */
public sealed interface IrqRoute {
  /** The interrupt's number. */
  int gsi();

  /** An interrupt controller in the kernel. */
  enum Chip {
    /** The first 8259. */
    PIC_MASTER(KvmConstants.IRQCHIP_PIC_MASTER),
    /** The second 8259. */
    PIC_SLAVE(KvmConstants.IRQCHIP_PIC_SLAVE),
    /** The I/O APIC. */
    IOAPIC(KvmConstants.IRQCHIP_IOAPIC);

    private final int number;

    Chip(int number) {
      this.number = number;
    }
  }

  /**
   * To a pin of an interrupt controller.
   *
   * @param pin 0 to 7 on an 8259, 0 to 23 on the I/O APIC
   */
  record ToChip(int gsi, Chip chip, int pin) implements IrqRoute {}

  /**
   * To a message-signalled interrupt.
   *
   * @param address what the guest put into the vector's address
   * @param data what the guest put into the vector's data
   */
  record ToMsi(int gsi, long address, int data) implements IrqRoute {}

  /** A {@code struct kvm_irq_routing} of these routes. */
  static MemorySegment table(Arena arena, List<IrqRoute> routes) {
    MemorySegment table =
        arena.allocate(IrqRouting.SIZE + (long) routes.size() * IrqRoutingEntry.SIZE, 8);
    table.set(ValueLayout.JAVA_INT, IrqRouting.NR, routes.size());
    long at = IrqRouting.ENTRIES;
    for (IrqRoute route : routes) {
      table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.GSI, route.gsi());
      switch (route) {
        case ToChip(int gsi, Chip chip, int pin) -> {
          table.set(
              ValueLayout.JAVA_INT, at + IrqRoutingEntry.TYPE, KvmConstants.IRQ_ROUTING_IRQCHIP);
          table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.IRQCHIP, chip.number);
          table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.PIN, pin);
        }
        case ToMsi(int gsi, long address, int data) -> {
          table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.TYPE, KvmConstants.IRQ_ROUTING_MSI);
          table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.MSI_ADDRESS_LO, (int) address);
          table.set(
              ValueLayout.JAVA_INT, at + IrqRoutingEntry.MSI_ADDRESS_HI, (int) (address >>> 32));
          table.set(ValueLayout.JAVA_INT, at + IrqRoutingEntry.MSI_DATA, data);
        }
      }
      at += IrqRoutingEntry.SIZE;
    }
    return table;
  }
}
