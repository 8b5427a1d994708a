// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.bus.ByteDevice;
import dev.spindle.devices.irq.IrqLine;
import java.util.function.LongSupplier;

/**
 * ACPI's fixed power management hardware (ACPI 6.5, 4.8.3): the PM1a event and control registers,
 * with a power button and the soft-off state S5, and the power management timer. There is no SMI:
 * the hardware is in ACPI mode from the start.
 *
 * <p>Any thread; one lock orders the event registers.
 */
public final class AcpiPower {
  /** The value of SLP_TYP that, with SLP_EN, switches off: what the DSDT's \_S5 must say. */
  public static final int SLEEP_TYPE_S5 = 5;

  /** The power management timer's frequency in Hz. */
  public static final long TIMER_HZ = 3_579_545;

  private static final int STATUS_TIMER = 1 << 0;
  private static final int STATUS_BUS_MASTER = 1 << 4;
  private static final int STATUS_GLOBAL = 1 << 5;
  private static final int STATUS_POWER_BUTTON = 1 << 8;
  private static final int STATUS_SLEEP_BUTTON = 1 << 9;
  private static final int STATUS_RTC = 1 << 10;
  private static final int STATUS_WAKE = 1 << 15;
  private static final int STATUS_CLEARABLE =
      STATUS_TIMER
          | STATUS_BUS_MASTER
          | STATUS_GLOBAL
          | STATUS_POWER_BUTTON
          | STATUS_SLEEP_BUTTON
          | STATUS_RTC
          | STATUS_WAKE;
  private static final int ENABLE_WRITABLE =
      STATUS_TIMER | STATUS_GLOBAL | STATUS_POWER_BUTTON | STATUS_SLEEP_BUTTON | STATUS_RTC;

  private static final int CONTROL_SCI_ENABLE = 1 << 0;
  private static final int CONTROL_BUS_MASTER_RELOAD = 1 << 1;
  private static final int CONTROL_SLEEP_TYPE_SHIFT = 10;
  private static final int CONTROL_SLEEP_TYPE = 7 << CONTROL_SLEEP_TYPE_SHIFT;
  private static final int CONTROL_SLEEP_ENABLE = 1 << 13; // reads as 0
  private static final int CONTROL_WRITABLE = CONTROL_BUS_MASTER_RELOAD | CONTROL_SLEEP_TYPE;

  private static final long NANOS = 1_000_000_000;

  private final IrqLine sci;
  private final PowerControl power;
  private final LongSupplier nanoTime;
  private final long start;

  // All with this object's lock:
  private int status;
  private int enable;
  private int control;
  private boolean level;

  /**
   * @param sci the system control interrupt, level-triggered
   * @param nanoTime the guest's time in nanoseconds, from any start; never goes back
   */
  public AcpiPower(IrqLine sci, PowerControl power, LongSupplier nanoTime) {
    this.sci = sci;
    this.power = power;
    this.nanoTime = nanoTime;
    start = nanoTime.getAsLong();
    reset();
  }

  /** Goes back to the state after power-on. The timer goes on. */
  public synchronized void reset() {
    status = 0;
    enable = 0;
    control = CONTROL_SCI_ENABLE;
    updateSci();
  }

  /** Presses and releases the power button: the guest is asked to shut down. Any thread. */
  public synchronized void pressPowerButton() {
    status |= STATUS_POWER_BUTTON;
    updateSci();
  }

  /** The PM1a event block: a status register and an enable register of 16 bits each. */
  public ByteDevice eventBlock() {
    return new ByteDevice() {
      @Override
      public int readByte(long offset) {
        return readEvent(offset);
      }

      @Override
      public void writeByte(long offset, int value) {
        writeEvent(offset, value);
      }
    };
  }

  /** The PM1a control block: one register of 16 bits. */
  public ByteDevice controlBlock() {
    return new ByteDevice() {
      @Override
      public int readByte(long offset) {
        return readControl(offset);
      }

      @Override
      public void writeByte(long offset, int value) {
        writeControl(offset, value);
      }
    };
  }

  /** The power management timer: one read-only register of 32 bits. */
  public BusDevice timer() {
    return new BusDevice() {
      @Override
      public long read(long offset, int size) {
        return offset >= 0 && offset + size <= 4 ? ticks() >>> (8 * offset) : -1;
      }

      @Override
      public void write(long offset, int size, long value) {}
    };
  }

  private long ticks() {
    long nanos = nanoTime.getAsLong() - start;
    return (nanos / NANOS * TIMER_HZ + nanos % NANOS * TIMER_HZ / NANOS) & 0xFFFF_FFFFL;
  }

  private synchronized int readEvent(long offset) {
    return offset < 0 || offset > 3
        ? 0xFF
        : (((enable << 16) | status) >>> (int) (8 * offset)) & 0xFF;
  }

  private synchronized void writeEvent(long offset, int value) {
    if (offset == 0 || offset == 1) {
      status &= ~((value << (int) (8 * offset)) & STATUS_CLEARABLE);
    } else if (offset == 2 || offset == 3) {
      enable = merge(enable, offset - 2, value) & ENABLE_WRITABLE;
    }
    updateSci();
  }

  private synchronized int readControl(long offset) {
    return offset < 0 || offset > 1 ? 0xFF : (control >>> (int) (8 * offset)) & 0xFF;
  }

  private synchronized void writeControl(long offset, int value) {
    if (offset < 0 || offset > 1) {
      return;
    }
    int written = merge(control, offset, value);
    control = (written & CONTROL_WRITABLE) | CONTROL_SCI_ENABLE;
    boolean isSoftOff =
        (written & CONTROL_SLEEP_TYPE) >>> CONTROL_SLEEP_TYPE_SHIFT == SLEEP_TYPE_S5;
    if ((written & CONTROL_SLEEP_ENABLE) != 0 && isSoftOff) {
      power.requestShutdown();
    }
  }

  private static int merge(int register, long offset, int value) {
    int shift = (int) (8 * offset);
    return (register & ~(0xFF << shift)) | (value << shift);
  }

  private void updateSci() {
    boolean now = (status & enable) != 0;
    if (now != level) {
      level = now;
      sci.set(now);
    }
  }
}
