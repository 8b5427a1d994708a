// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.ByteDevice;
import dev.spindle.devices.irq.IrqLine;

/**
 * ACPI's general-purpose event block GPE0 (ACPI 6.5, 4.8.4.1): a status and an enable register of
 * 16 bits each. An event that is enabled asserts the SCI until the guest has cleared its status.
 *
 * <p>Any thread; one lock orders the registers.
 */
public final class GeneralPurposeEvents implements ByteDevice {
  /** How many events there are. */
  public static final int EVENTS = 16;

  private static final int REGISTER_BYTES = EVENTS / 8;

  private final IrqLine sci;
  private int status; // with this object's lock, like all below
  private int enable;

  /**
   * @param sci the system control interrupt, level-triggered
   */
  public GeneralPurposeEvents(IrqLine sci) {
    this.sci = sci;
  }

  /** Goes back to the state after power-on. */
  public synchronized void reset() {
    status = 0;
    enable = 0;
    updateSci();
  }

  /**
   * An event has happened.
   *
   * @param event 0 to {@link #EVENTS} - 1
   */
  public synchronized void raise(int event) {
    status |= 1 << event;
    updateSci();
  }

  /** Whether the guest has not yet cleared an event that happened. */
  public synchronized boolean isPending(int event) {
    return (status & (1 << event)) != 0;
  }

  @Override
  public synchronized int readByte(long offset) {
    if (offset < 0 || offset >= 2 * REGISTER_BYTES) {
      return 0xFF;
    }
    return ((enable << EVENTS) | status) >>> (int) (8 * offset) & 0xFF;
  }

  @Override
  public synchronized void writeByte(long offset, int value) {
    int shift = (int) (8 * (offset % REGISTER_BYTES));
    if (offset >= 0 && offset < REGISTER_BYTES) {
      status &= ~(value << shift);
    } else if (offset >= REGISTER_BYTES && offset < 2 * REGISTER_BYTES) {
      enable = (enable & ~(0xFF << shift)) | (value << shift);
    }
    updateSci();
  }

  private void updateSci() {
    sci.set((status & enable) != 0);
  }
}
