// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.irq.IrqLine;
import dev.spindle.devices.irq.SharedIrqLine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * The PCI host bridge: bus 0 with 32 slots of one function each, itself in slot 0.
 *
 * <p>Guests reach configuration space through {@link PciConfigPorts} and {@link PciEcam}. One lock
 * orders configuration accesses, attaching and resetting. BARs are kept on the port and memory
 * buses where the guest has put them: whenever it changes anything, ranges no longer wanted are
 * taken off first, then those newly wanted are added. A BAR outside the bridge's windows, or over
 * another device, decodes nothing until that changes.
 */
public final class PciHostBridge {
  public static final int SLOTS = 32;

  private static final class Itself extends PciDevice {
    Itself() {
      // The generic PCI Express host bridge; class: host bridge.
      super(new PciIdentity(0x1b36, 0x0008, 0, 0x060000, 0x1af4, 0x1100));
    }
  }

  private final Bus ports;
  private final Bus memory;
  private final PciWindows windows;
  private final IrqLine[] pins = new IrqLine[SLOTS];
  private final PciDevice[] slots = new PciDevice[SLOTS]; // with this object's lock

  /**
   * @param interruptLines where interrupt pins lead: INTA# of slot n to line n modulo their number.
   *     A PC has four, at GSI 16 to 19
   */
  public PciHostBridge(
      Bus ports, Bus memory, PciWindows windows, List<? extends IrqLine> interruptLines) {
    this.ports = ports;
    this.memory = memory;
    this.windows = windows;
    List<SharedIrqLine> lines = interruptLines.stream().map(SharedIrqLine::new).toList();
    for (int slot = 0; slot < SLOTS; slot++) {
      pins[slot] = lines.get(slot % lines.size()).addWire();
    }
    attach(0, new Itself());
  }

  /**
   * Whether nothing is in a slot.
   *
   * @param slot 0 to 31
   */
  public synchronized boolean isFree(int slot) {
    checkSlot(slot);
    return slots[slot] == null;
  }

  /** The lowest free slot, or nothing if all are taken. */
  public synchronized OptionalInt freeSlot() {
    return IntStream.range(0, SLOTS).filter(slot -> slots[slot] == null).findFirst();
  }

  /**
   * Puts the device into the lowest free slot.
   *
   * @return the slot
   * @throws IllegalStateException if all are taken
   */
  public synchronized int attach(PciDevice device) {
    int slot =
        freeSlot()
            .orElseThrow(
                () -> new IllegalStateException("all %d PCI slots are taken".formatted(SLOTS)));
    attach(slot, device);
    return slot;
  }

  /**
   * Puts the device into a slot.
   *
   * @param slot 0 to 31
   * @throws IllegalArgumentException if there is no such slot or it is taken
   */
  public synchronized void attach(int slot, PciDevice device) {
    checkSlot(slot);
    if (slots[slot] != null) {
      throw new IllegalArgumentException("PCI slot %d is taken".formatted(slot));
    }
    slots[slot] = device;
    device.connect(pins[slot]);
    updateMappings();
  }

  /**
   * Takes the device out of its slot and off the buses; closing it is up to the caller.
   *
   * @throws IllegalArgumentException if there is no such slot or it is empty
   */
  public synchronized void detach(int slot) {
    checkSlot(slot);
    PciDevice device = slots[slot];
    if (device == null) {
      throw new IllegalArgumentException("PCI slot %d is empty".formatted(slot));
    }
    for (PciBar bar : device.bars()) {
      unmap(device, bar);
    }
    device.connect(IrqLine.UNCONNECTED);
    slots[slot] = null;
    updateMappings();
  }

  private static void checkSlot(int slot) {
    if (slot < 0 || slot >= SLOTS) {
      throw new IllegalArgumentException(
          "there is no PCI slot %d: slots are 0 to %d".formatted(slot, SLOTS - 1));
    }
  }

  /**
   * Does what firmware would: places every BAR, largest first, each aligned to its size, and lets
   * the devices decode them. Call it before the guest starts, with all devices attached and just
   * reset.
   *
   * @throws IllegalStateException if a window is too small, in a sentence
   */
  public synchronized void assignResources() {
    record Placed(int slot, PciDevice device, PciBar bar) {}
    List<Placed> all = new ArrayList<>();
    for (int slot = 0; slot < SLOTS; slot++) {
      if (slots[slot] != null) {
        for (PciBar bar : slots[slot].bars()) {
          all.add(new Placed(slot, slots[slot], bar));
        }
      }
    }
    all.sort(Comparator.comparingLong((Placed placed) -> placed.bar.size).reversed());
    long[] next = new long[BarKind.values().length];
    for (BarKind kind : BarKind.values()) {
      next[kind.ordinal()] = windows.of(kind).base();
    }
    for (Placed placed : all) {
      PciBar bar = placed.bar;
      AddressRange window = windows.of(bar.kind);
      long base = (next[bar.kind.ordinal()] + bar.size - 1) & -bar.size;
      if (base > window.last() || bar.size - 1 > window.last() - base) {
        throw new IllegalStateException(
            "no room for BAR %d of PCI slot %d, 0x%x bytes, in the window %s"
                .formatted(bar.index, placed.slot, bar.size, window));
      }
      bar.assign(base);
      next[bar.kind.ordinal()] = base + bar.size;
    }
    for (PciDevice device : slots) {
      if (device != null && !device.bars().isEmpty()) {
        device.writeConfig(PciDevice.COMMAND, 2, PciDevice.COMMAND_IO | PciDevice.COMMAND_MEMORY);
      }
    }
    updateMappings();
  }

  /** What is in each slot now, as guests find it. */
  public synchronized List<PciFunctionInfo> functions() {
    List<PciFunctionInfo> infos = new ArrayList<>();
    for (int slot = 0; slot < SLOTS; slot++) {
      if (slots[slot] != null) {
        infos.add(PciFunctionInfo.of(slot, slots[slot]));
      }
    }
    return infos;
  }

  /**
   * Resets every device, once it has come to rest: nothing is decoded until {@link
   * #assignResources} or the guest say so. No vCPU runs. Not from control work, which some devices
   * need for coming to rest.
   */
  public void reset() {
    // Without the lock: what they need for that may be asking what is in the slots.
    devices().forEach(PciDevice::comeToRest);
    resetSlots();
  }

  private synchronized List<PciDevice> devices() {
    return Arrays.stream(slots).filter(Objects::nonNull).toList();
  }

  private synchronized void resetSlots() {
    devices().forEach(PciDevice::reset);
    updateMappings();
  }

  /**
   * Reads configuration space.
   *
   * @param bus 0 to 255
   * @param slot 0 to 31
   * @param function 0 to 7
   * @param offset 0 to 4095
   * @return all ones where there is no function
   */
  synchronized long readConfig(int bus, int slot, int function, int offset, int size) {
    boolean exists = bus == 0 && function == 0 && slots[slot] != null;
    return exists ? slots[slot].readConfig(offset, size) : -1;
  }

  /** Writes configuration space; what is not there swallows it. Ranges as for reading. */
  synchronized void writeConfig(int bus, int slot, int function, int offset, int size, long value) {
    if (bus == 0 && function == 0 && slots[slot] != null) {
      slots[slot].writeConfig(offset, size, value);
      updateMappings();
    }
  }

  private void updateMappings() {
    for (PciDevice device : slots) {
      if (device != null) {
        for (PciBar bar : device.bars()) {
          if (bar.mapped != null && !bar.mapped.equals(bar.wanted())) {
            unmap(device, bar);
          }
        }
      }
    }
    for (PciDevice device : slots) {
      if (device != null) {
        for (PciBar bar : device.bars()) {
          if (bar.mapped == null) {
            map(device, bar);
          }
        }
      }
    }
  }

  private void map(PciDevice device, PciBar bar) {
    AddressRange wanted = bar.wanted();
    if (wanted != null && windows.pass(bar.kind, wanted) && bus(bar).tryAdd(wanted, bar.device)) {
      bar.mapped = wanted;
      device.barMapped(bar.index, wanted.base());
    }
  }

  private void unmap(PciDevice device, PciBar bar) {
    if (bar.mapped != null) {
      AddressRange range = bar.mapped;
      bar.mapped = null;
      device.barUnmapped(bar.index, range.base());
      bus(bar).remove(range);
    }
  }

  private Bus bus(PciBar bar) {
    return bar.kind == BarKind.IO ? ports : memory;
  }
}
