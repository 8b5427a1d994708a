// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.IrqLine;
import dev.spindle.devices.irq.MsiRouter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A PCI function with a type 0 header: configuration space, capabilities, base address registers,
 * and interrupts by MSI-X or by pin.
 *
 * <p>A subclass says in its constructor what it has ({@link #addBar}, {@link #addCapability},
 * {@link #addMsix}, {@link #addInterruptPin}); what a guest programs is kept here and passed on.
 * Configuration accesses and the hooks {@link #barMapped}, {@link #barUnmapped} and {@link
 * #commandChanged} come with the host bridge's lock held, one at a time, on a vCPU thread or on the
 * thread that resets the machine. Accesses inside a BAR come straight from vCPU threads, without
 * it. A device that holds a lock of its own calls nothing that takes the bridge's.
 */
public abstract class PciDevice implements AutoCloseable {
  /** Bits of the command register (PCI 3.0, 6.2.2). */
  public static final int COMMAND_IO = 1 << 0;

  public static final int COMMAND_MEMORY = 1 << 1;
  public static final int COMMAND_BUS_MASTER = 1 << 2;
  public static final int COMMAND_PARITY = 1 << 6;
  public static final int COMMAND_SERR = 1 << 8;
  public static final int COMMAND_INTX_DISABLE = 1 << 10;

  static final int COMMAND = 0x04;
  static final int STATUS = 0x06;
  static final int BAR0 = 0x10;
  static final int INTERRUPT_LINE = 0x3C;

  private static final int CACHE_LINE_SIZE = 0x0C;
  private static final int LATENCY_TIMER = 0x0D;
  private static final int CAPABILITIES = 0x34;
  private static final int INTERRUPT_PIN = 0x3D;
  private static final int HEADER_LENGTH = 0x40;
  private static final int CONFIG_LENGTH = 256;

  private static final int STATUS_INTERRUPT = 1 << 3;
  private static final int STATUS_CAPABILITIES = 1 << 4;
  private static final int STATUS_ERRORS = 0xF900; // written as ones to clear
  private static final int COMMAND_WRITABLE =
      COMMAND_IO
          | COMMAND_MEMORY
          | COMMAND_BUS_MASTER
          | COMMAND_PARITY
          | COMMAND_SERR
          | COMMAND_INTX_DISABLE;

  private static final int CAPABILITY_MSIX = 0x11;
  private static final int MSIX_FUNCTION_MASK = 1 << 14;
  private static final int MSIX_ENABLE = 1 << 15;

  private final Registers config = new Registers(CONFIG_LENGTH);
  private final List<PciBar> bars = new ArrayList<>();
  private int lastCapability = CAPABILITIES; // offset of the byte that points to the next one
  private int freeCapability = HEADER_LENGTH;
  private Msix msix;
  private int msixControl; // offset of the message control register

  /** Written with the host bridge's lock; read by any thread. */
  private volatile int command;

  private final Object pinLock = new Object();
  private IrqLine pin = IrqLine.UNCONNECTED; // with pinLock
  private boolean hasPin;

  protected PciDevice(PciIdentity identity) {
    config.set(0x00, 2, identity.vendorId());
    config.set(0x02, 2, identity.deviceId());
    config.set(0x08, 1, identity.revision());
    config.set(0x09, 3, identity.classCode());
    config.set(0x2C, 2, identity.subsystemVendorId());
    config.set(0x2E, 2, identity.subsystemId());
    config.allowWrite(COMMAND, 2, COMMAND_WRITABLE);
    config.allowClear(STATUS, 2, STATUS_ERRORS);
    config.allowWrite(CACHE_LINE_SIZE, 1, 0xFF);
    config.allowWrite(LATENCY_TIMER, 1, 0xFF);
  }

  // ---- What a subclass has -------------------------------------------------------------------

  /**
   * Adds a base address register.
   *
   * @param index 0 to 5; one of kind {@link BarKind#MEMORY64} also takes the next
   * @param size bytes, a power of two; memory from 16, ports from 4 to 256
   * @param device what answers there
   */
  protected final void addBar(int index, BarKind kind, long size, BusDevice device) {
    PciBar added = new PciBar(config, index, kind, size, device);
    for (PciBar bar : bars) {
      if (index < bar.index + PciBar.registers(bar.kind)
          && bar.index < index + PciBar.registers(kind)) {
        throw new IllegalArgumentException("BAR %d is used twice".formatted(index));
      }
    }
    bars.add(added);
  }

  /**
   * Appends a capability to the list (PCI 3.0, 6.7).
   *
   * @param id capability ID
   * @param body the bytes after the ID and the next pointer
   * @param writable which bits of the body a guest may change; as long as the body
   * @return its offset in configuration space, that of its ID
   */
  protected final int addCapability(int id, byte[] body, byte[] writable) {
    int offset = freeCapability;
    int length = 2 + body.length;
    if (offset + length > CONFIG_LENGTH || body.length != writable.length) {
      throw new IllegalArgumentException(
          "no room for a capability of %d bytes at 0x%x".formatted(length, offset));
    }
    config.set(offset, 1, id);
    for (int i = 0; i < body.length; i++) {
      config.set(offset + 2 + i, 1, body[i]);
      config.allowWrite(offset + 2 + i, 1, writable[i]);
    }
    config.set(lastCapability, 1, offset);
    config.set(STATUS, 2, STATUS_CAPABILITIES);
    lastCapability = offset + 1;
    freeCapability = (offset + length + 3) & ~3;
    return offset;
  }

  /**
   * Adds MSI-X, whose table and pending bits get a 32-bit memory BAR to themselves.
   *
   * @param bar 0 to 5
   * @param vectors 1 to 2048
   * @throws IOException if there are no file descriptors left
   */
  protected final Msix addMsix(int bar, int vectors, MsiRouter router) throws IOException {
    msix = new Msix(vectors, router);
    addBar(bar, BarKind.MEMORY32, msix.barSize(), msix);
    byte[] body = new byte[10];
    byte[] writable = new byte[body.length];
    Registers fields = new Registers(body.length);
    fields.set(0, 2, vectors - 1);
    fields.set(2, 4, bar);
    fields.set(6, 4, msix.pendingOffset() | bar);
    for (int i = 0; i < body.length; i++) {
      body[i] = (byte) fields.read(i, 1);
    }
    writable[1] = (byte) ((MSIX_ENABLE | MSIX_FUNCTION_MASK) >>> 8);
    msixControl = addCapability(CAPABILITY_MSIX, body, writable) + 2;
    return msix;
  }

  /** Adds interrupt pin INTA#, whose level is {@link #interruptAsserted}. */
  protected final void addInterruptPin() {
    hasPin = true;
    config.set(INTERRUPT_PIN, 1, 1);
    config.allowWrite(INTERRUPT_LINE, 1, 0xFF);
  }

  // ---- Hooks ---------------------------------------------------------------------------------

  /**
   * The BAR's device answers at {@code address} from now on (a guest physical address, or a port).
   */
  protected void barMapped(int index, long address) {}

  /** The BAR's device answers at {@code address} no longer. */
  protected void barUnmapped(int index, long address) {}

  /** The guest has changed the command register. */
  protected void commandChanged(int command) {}

  /**
   * Whether the device has an interrupt to report by its pin. Asked on any thread, with the pin's
   * lock held.
   */
  protected boolean interruptAsserted() {
    return false;
  }

  // ---- For the device ------------------------------------------------------------------------

  /**
   * Drives the interrupt pin by what {@link #interruptAsserted} says: call it after changing that.
   * Any thread; takes a lock, so it is for guests that do without MSI-X. With MSI-X enabled, or the
   * pin disabled by the command register, the pin stays quiet.
   */
  protected final void updateInterruptPin() {
    if (hasPin) {
      synchronized (pinLock) {
        boolean mayAssert =
            (command & COMMAND_INTX_DISABLE) == 0 && !(msix != null && msix.enabled());
        pin.set(mayAssert && interruptAsserted());
      }
    }
  }

  /** Whether the guest lets the device reach its memory. Any thread. */
  public final boolean isBusMaster() {
    return (command & COMMAND_BUS_MASTER) != 0;
  }

  // ---- For the host bridge -------------------------------------------------------------------

  /**
   * Reads configuration space as a guest does.
   *
   * @param offset 0 to 4095; from 256 up there is nothing, which reads as all ones
   * @param size 1, 2, 4 or 8
   */
  public long readConfig(int offset, int size) {
    if (hasPin) {
      boolean asserted;
      synchronized (pinLock) {
        asserted = interruptAsserted();
      }
      long status = config.read(STATUS, 2) & ~STATUS_INTERRUPT;
      config.set(STATUS, 2, asserted ? status | STATUS_INTERRUPT : status);
    }
    return config.read(offset, size);
  }

  /** Writes configuration space as a guest does; offsets and sizes as for {@link #readConfig}. */
  public void writeConfig(int offset, int size, long value) {
    config.write(offset, size, value);
    configChanged();
  }

  private void configChanged() {
    int now = (int) config.read(COMMAND, 2);
    boolean changed = now != command;
    command = now;
    if (msix != null) {
      long control = config.read(msixControl, 2);
      msix.control((control & MSIX_ENABLE) != 0, (control & MSIX_FUNCTION_MASK) != 0);
    }
    if (changed) {
      commandChanged(now);
    }
    updateInterruptPin();
  }

  /**
   * Waits until the device has nothing in flight, and takes up nothing more until the guest starts
   * it anew. Comes before {@link #reset}, and without the host bridge's lock.
   */
  public void comeToRest() {}

  /**
   * Goes back to the state after power-on: nothing decoded, MSI-X off. A subclass resets itself and
   * calls this. The BARs are taken off the buses by the host bridge.
   */
  public void reset() {
    config.reset();
    if (msix != null) {
      msix.reset();
    }
    configChanged();
  }

  /** Gives back what the device holds on the host, vectors and eventfds among it. */
  @Override
  public void close() {
    if (msix != null) {
      msix.close();
    }
  }

  final List<PciBar> bars() {
    return bars;
  }

  final void connect(IrqLine pin) {
    synchronized (pinLock) {
      this.pin.set(false);
      this.pin = pin;
    }
    updateInterruptPin();
  }
}
