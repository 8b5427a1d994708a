// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.MsiRouter;
import dev.spindle.devices.irq.MsiVector;
import dev.spindle.linux.EventFd;
import java.io.IOException;

/**
 * MSI-X: the vector table at offset 0 of its BAR, and the pending bits behind it (PCI 3.0, 6.8.2).
 *
 * <p>The device interrupts the guest by signalling a vector's eventfd, from any thread, whatever
 * state the vector is in. This class lets the signals through while MSI-X is enabled and neither
 * the function nor the vector is masked; until then the eventfd holds them back, and shows as the
 * vector's pending bit.
 */
public final class Msix implements BusDevice, AutoCloseable {
  private static final int ENTRY = 16;
  private static final int ADDRESS = 0;
  private static final int DATA = 8;
  private static final int CONTROL = 12;
  private static final int CONTROL_MASK = 1;
  private static final int PAGE = 4096;

  private final EventFd[] eventFds;
  private final MsiVector[] vectors;
  private final boolean[] open; // vectors that let signals through
  private final Registers table;
  private boolean functionMask;
  private volatile boolean enabled; // written, like all the rest, with this object's lock

  Msix(int count, MsiRouter router) throws IOException {
    if (count < 1 || count > 2048) {
      throw new IllegalArgumentException("MSI-X has 1 to 2048 vectors, not " + count);
    }
    eventFds = new EventFd[count];
    vectors = new MsiVector[count];
    open = new boolean[count];
    table = new Registers(count * ENTRY);
    try {
      for (int i = 0; i < count; i++) {
        eventFds[i] = EventFd.create();
        vectors[i] = router.allocate(eventFds[i]);
        table.allowWrite(i * ENTRY + ADDRESS, 8, ~3L);
        table.allowWrite(i * ENTRY + DATA, 4, ~0L);
        table.allowWrite(i * ENTRY + CONTROL, 4, CONTROL_MASK);
      }
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
    reset();
  }

  /** How many vectors there are. */
  public int count() {
    return vectors.length;
  }

  /** What the device signals to send the vector's message. Any thread. */
  public EventFd eventFd(int vector) {
    return eventFds[vector];
  }

  /** Whether the guest has enabled MSI-X; if not, the device interrupts by its pin. Any thread. */
  public boolean enabled() {
    return enabled;
  }

  /** Where the pending bits start, in bytes from the start of the BAR. */
  int pendingOffset() {
    return (vectors.length * ENTRY + PAGE - 1) & -PAGE;
  }

  /** Bytes of the BAR. */
  long barSize() {
    return Long.highestOneBit(2L * (pendingOffset() + PAGE) - 1);
  }

  @Override
  public synchronized long read(long offset, int size) {
    return offset < pendingOffset() ? table.read(offset, size) : readPending(offset, size);
  }

  private long readPending(long offset, int size) {
    long value = 0;
    for (int bit = 0; bit < 8 * size; bit++) {
      long vector = 8 * (offset - pendingOffset()) + bit;
      if (vector < vectors.length && vectors[(int) vector].pending()) {
        value |= 1L << bit;
      }
    }
    return value;
  }

  @Override
  public synchronized void write(long offset, int size, long value) {
    long tableEnd = (long) vectors.length * ENTRY;
    if (offset < 0 || offset >= tableEnd) {
      return; // pending bits are read-only
    }
    int first = (int) (offset / ENTRY);
    int last = (int) ((Math.min(offset + size, tableEnd) - 1) / ENTRY);
    long[] addresses = {address(first), address(last)};
    int[] data = {data(first), data(last)};
    table.write(offset, size, value);
    for (int i = first; i <= last; i++) {
      boolean sameMessage = addresses[i - first] == address(i) && data[i - first] == data(i);
      if (open[i] && !sameMessage) {
        vectors[i].program(address(i), data(i));
      }
      update(i);
    }
  }

  /** Follows the message control register. */
  synchronized void control(boolean enabled, boolean functionMask) {
    if (this.enabled != enabled || this.functionMask != functionMask) {
      this.enabled = enabled;
      this.functionMask = functionMask;
      for (int i = 0; i < vectors.length; i++) {
        update(i);
      }
    }
  }

  private void update(int i) {
    boolean masked = (table.read(i * ENTRY + CONTROL, 4) & CONTROL_MASK) != 0;
    boolean nowOpen = enabled && !functionMask && !masked;
    if (nowOpen && !open[i]) {
      vectors[i].program(address(i), data(i));
      vectors[i].unmask();
    } else if (!nowOpen && open[i]) {
      vectors[i].mask();
    }
    open[i] = nowOpen;
  }

  private long address(int i) {
    return table.read(i * ENTRY + ADDRESS, 8);
  }

  private int data(int i) {
    return (int) table.read(i * ENTRY + DATA, 4);
  }

  /** Disabled, every vector masked, nothing pending. */
  synchronized void reset() {
    control(false, false);
    for (int i = 0; i < vectors.length; i++) {
      table.set(i * ENTRY, ENTRY, 0);
      table.set(i * ENTRY + CONTROL, 4, CONTROL_MASK);
      eventFds[i].read();
    }
  }

  @Override
  public synchronized void close() {
    for (int i = 0; i < vectors.length; i++) {
      if (vectors[i] != null) {
        vectors[i].close();
      }
      if (eventFds[i] != null) {
        eventFds[i].close();
      }
    }
  }
}
