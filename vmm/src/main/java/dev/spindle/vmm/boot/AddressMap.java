// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.util.ArrayList;
import java.util.List;

/**
 * The map of physical addresses a guest is told: RAM and what it must leave alone. Entries are in
 * ascending order and do not overlap.
 */
public record AddressMap(List<Entry> entries) {
  /** Ordinary RAM, in the numbering of BIOS function E820 and of PVH. */
  public static final int RAM = 1;

  /** Addresses to leave alone. */
  public static final int RESERVED = 2;

  /** One range: its first guest-physical address, its length in bytes, and its type. */
  public record Entry(long base, long length, int type) {}

  /** Keeps an immutable copy. */
  public AddressMap {
    entries = List.copyOf(entries);
  }

  /**
   * Returns the map of a machine with {@code memory}, in which {@code reserved} ranges above it are
   * taken by hardware.
   */
  public static AddressMap of(BootMemory memory, List<Entry> reserved) {
    List<Entry> entries = new ArrayList<>();
    entries.add(new Entry(0, LowMemory.CONVENTIONAL_END, RAM));
    entries.add(
        new Entry(LowMemory.CONVENTIONAL_END, 0xA_0000 - LowMemory.CONVENTIONAL_END, RESERVED));
    entries.add(new Entry(LowMemory.FIRMWARE, LowMemory.FIRMWARE_SIZE, RESERVED));
    entries.add(new Entry(LowMemory.HIGH, memory.lowEnd() - LowMemory.HIGH, RAM));
    entries.addAll(reserved);
    for (BootMemory.Ram ram : memory.ram().subList(1, memory.ram().size())) {
      entries.add(new Entry(ram.base(), ram.length(), RAM));
    }
    return new AddressMap(entries);
  }
}
