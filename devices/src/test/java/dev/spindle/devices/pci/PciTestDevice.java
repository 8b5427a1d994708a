// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.MsiRouter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A PCI device that answers everywhere with a byte of its own and notes what happens to it. */
final class PciTestDevice extends PciDevice {
  static final PciIdentity IDENTITY = new PciIdentity(0x1AF4, 0x1042, 1, 0x018000, 0x1AF4, 0x1100);

  final List<String> events = new ArrayList<>();
  volatile boolean interrupt;
  private final long answer;

  PciTestDevice(int answer) {
    super(IDENTITY);
    this.answer = answer * 0x0101_0101_0101_0101L;
  }

  PciTestDevice() {
    this(0xAB);
  }

  PciTestDevice bar(int index, BarKind kind, long size) {
    addBar(
        index,
        kind,
        size,
        new BusDevice() {
          @Override
          public long read(long offset, int bytes) {
            return answer;
          }

          @Override
          public void write(long offset, int bytes, long value) {
            events.add("write %d: %x=%x".formatted(index, offset, value));
          }
        });
    return this;
  }

  PciTestDevice pin() {
    addInterruptPin();
    return this;
  }

  Msix msix(int bar, int vectors, MsiRouter router) {
    try {
      return addMsix(bar, vectors, router);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  int capability(int id, byte[] body, byte[] writable) {
    return addCapability(id, body, writable);
  }

  void interrupt(boolean level) {
    interrupt = level;
    updateInterruptPin();
  }

  @Override
  protected boolean interruptAsserted() {
    return interrupt;
  }

  @Override
  protected void barMapped(int index, long address) {
    events.add("map %d: %x".formatted(index, address));
  }

  @Override
  protected void barUnmapped(int index, long address) {
    events.add("unmap %d: %x".formatted(index, address));
  }

  List<String> takeEvents() {
    List<String> result = List.copyOf(events);
    events.clear();
    return result;
  }
}
