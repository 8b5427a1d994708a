// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import dev.spindle.devices.bus.ByteDevice;
import dev.spindle.devices.irq.IrqLine;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * The PC's clock: a Motorola MC146818A with 128 bytes, behind an index port and a data port (0x70
 * and 0x71). It keeps UTC, and a guest may set it, which moves its clock against the host's.
 *
 * <p>The time is worked out when it is read. For interrupts somebody must call {@link #tick} by
 * {@link #nextEvent}; {@link RtcTicker} does. Any thread; one lock orders all.
 */
public final class CmosRtc implements ByteDevice {
  private static final int INDEX_PORT = 0;
  private static final int DATA_PORT = 1;

  // Registers.
  private static final int SECONDS = 0x00;
  private static final int SECONDS_ALARM = 0x01;
  private static final int MINUTES = 0x02;
  private static final int MINUTES_ALARM = 0x03;
  private static final int HOURS = 0x04;
  private static final int HOURS_ALARM = 0x05;
  private static final int DAY_OF_WEEK = 0x06;
  private static final int DAY_OF_MONTH = 0x07;
  private static final int MONTH = 0x08;
  private static final int YEAR = 0x09;
  private static final int A = 0x0A;
  private static final int B = 0x0B;
  private static final int C = 0x0C;
  private static final int D = 0x0D;

  /** Where the century is: ACPI's FADT says so to the guest. */
  public static final int CENTURY = 0x32;

  private static final int A_UPDATE_IN_PROGRESS = 0x80;
  private static final int A_DIVIDER_RESET = 0x60; // or 0x70
  private static final int A_RATE = 0x0F;
  private static final int A_DEFAULT = 0x26; // 32.768 kHz, 1024 Hz

  private static final int B_SET = 0x80; // no updates: the guest sets the time
  private static final int B_BINARY = 0x04;
  private static final int B_24_HOURS = 0x02;

  private static final int INTERRUPT = 0x80; // in C
  private static final int PERIODIC = 0x40; // flag in C, enable in B
  private static final int ALARM = 0x20;
  private static final int UPDATE_ENDED = 0x10;
  private static final int INTERRUPTS = PERIODIC | ALARM | UPDATE_ENDED;

  private static final int D_VALID = 0x80;

  private static final int ALARM_ANY = 0xC0;
  private static final int PM = 0x80;

  private static final long NANOS = 1_000_000_000;
  private static final long UPDATE_NANOS = 244_000; // how long before an update the guest is warned
  private static final long CRYSTAL_HZ = 32_768;

  private final InstantSource clock;
  private final IrqLine irq;

  // All with this object's lock:
  private final byte[] cmos = new byte[128]; // of the time registers: what was set while halted
  private int index;
  private Duration offset = Duration.ZERO; // the guest's clock minus the host's
  private Instant ticked; // by the guest's clock: interrupts are raised up to here
  private boolean level;
  private Runnable onSchedule = () -> {};

  /**
   * @param clock the host's clock
   * @param irq the clock's interrupt, GSI 8 on a PC
   */
  public CmosRtc(InstantSource clock, IrqLine irq) {
    this.clock = clock;
    this.irq = irq;
    ticked = now();
    cmos[A] = A_DEFAULT;
    cmos[B] = B_24_HOURS;
    cmos[D] = (byte) D_VALID;
  }

  /** Stops interrupts, as a reset does. Time and memory are the battery's and stay. */
  public synchronized void reset() {
    index = 0;
    cmos[B] &= ~INTERRUPTS;
    cmos[C] = 0;
    updateIrq();
  }

  // ---- Ports ---------------------------------------------------------------------------------

  @Override
  public synchronized int readByte(long port) {
    return port == DATA_PORT ? readRegister() : 0xFF;
  }

  @Override
  public synchronized void writeByte(long port, int value) {
    if (port == INDEX_PORT) {
      index = value & 0x7F; // the top bit gates the NMI
    } else if (port == DATA_PORT) {
      writeRegister(value);
    }
  }

  private int readRegister() {
    return switch (index) {
      case A -> cmos[A] | (isUpdating() ? A_UPDATE_IN_PROGRESS : 0);
      case C -> {
        tick();
        int flags = cmos[C] & 0xFF;
        cmos[C] = 0;
        updateIrq();
        yield flags;
      }
      default -> isTime(index) && !isHalted() ? encode(index, time()) : cmos[index] & 0xFF;
    };
  }

  private void writeRegister(int value) {
    tick();
    switch (index) {
      case A -> writeControl(A, value & ~A_UPDATE_IN_PROGRESS);
      case B -> writeControl(B, value);
      case C, D -> {} // read-only
      default -> {
        if (isTime(index) && !isHalted()) {
          latchTime();
          cmos[index] = (byte) value;
          setTime(now().getNano());
        } else {
          cmos[index] = (byte) value;
        }
      }
    }
    updateIrq();
  }

  private void writeControl(int register, int value) {
    boolean wasHalted = isHalted();
    boolean wasDividerReset = isDividerReset();
    cmos[register] = (byte) value;
    if (!wasHalted && isHalted()) {
      latchTime();
    } else if (wasHalted && !isHalted()) {
      // The first update comes half a second after the divider starts.
      setTime(wasDividerReset ? NANOS / 2 : now().getNano());
    }
  }

  // ---- Time ----------------------------------------------------------------------------------

  private Instant now() {
    return clock.instant().plus(offset);
  }

  private LocalDateTime time() {
    return LocalDateTime.ofInstant(now(), ZoneOffset.UTC);
  }

  private boolean isDividerReset() {
    return (cmos[A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
  }

  private boolean isHalted() {
    return (cmos[B] & B_SET) != 0 || isDividerReset();
  }

  private boolean isUpdating() {
    return !isHalted() && now().getNano() >= NANOS - UPDATE_NANOS;
  }

  private static boolean isTime(int register) {
    return switch (register) {
      case SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY_OF_MONTH, MONTH, YEAR, CENTURY -> true;
      default -> false;
    };
  }

  private void latchTime() {
    LocalDateTime time = time();
    for (int register = 0; register < cmos.length; register++) {
      if (isTime(register)) {
        cmos[register] = (byte) encode(register, time);
      }
    }
  }

  /** Moves the clock to what the registers say. Dates that do not exist spill over. */
  private void setTime(long nanoOfSecond) {
    Instant set =
        LocalDateTime.of(100 * decode(cmos[CENTURY]) + decode(cmos[YEAR]), 1, 1, 0, 0)
            .plusMonths(decode(cmos[MONTH]) - 1)
            .plusDays(decode(cmos[DAY_OF_MONTH]) - 1)
            .plusHours(decodeHours(cmos[HOURS]))
            .plusMinutes(decode(cmos[MINUTES]))
            .plusSeconds(decode(cmos[SECONDS]))
            .plusNanos(nanoOfSecond)
            .toInstant(ZoneOffset.UTC);
    offset = Duration.between(clock.instant(), set);
    ticked = set;
  }

  private int encode(int register, LocalDateTime time) {
    return switch (register) {
      case SECONDS -> encode(time.getSecond());
      case MINUTES -> encode(time.getMinute());
      case HOURS -> encodeHours(time.getHour());
      case DAY_OF_WEEK -> encode(time.getDayOfWeek().getValue() % 7 + 1); // Sunday is 1
      case DAY_OF_MONTH -> encode(time.getDayOfMonth());
      case MONTH -> encode(time.getMonthValue());
      case YEAR -> encode(Math.floorMod(time.getYear(), 100));
      case CENTURY -> encode(Math.floorMod(time.getYear() / 100, 100));
      default -> throw new IllegalArgumentException("register " + register + " is not time");
    };
  }

  private int encode(int number) {
    return (cmos[B] & B_BINARY) != 0 ? number : ((number / 10) << 4) | (number % 10);
  }

  private int decode(int register) {
    int value = register & 0xFF;
    return (cmos[B] & B_BINARY) != 0 ? value : (value >>> 4) * 10 + (value & 0x0F);
  }

  private int encodeHours(int hour) {
    if ((cmos[B] & B_24_HOURS) != 0) {
      return encode(hour);
    }
    return encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? PM : 0);
  }

  private int decodeHours(int register) {
    if ((cmos[B] & B_24_HOURS) != 0) {
      return decode(register);
    }
    return decode(register & ~PM) % 12 + ((register & PM) != 0 ? 12 : 0);
  }

  // ---- Interrupts ----------------------------------------------------------------------------

  /** Raises what has become due. */
  public synchronized void tick() {
    Instant now = now();
    int flags = 0;
    long first = ticked.getEpochSecond() + 1;
    long last = now.getEpochSecond();
    if (!isHalted() && first <= last) {
      flags |= UPDATE_ENDED;
      if (isAlarmBetween(first, last)) {
        flags |= ALARM;
      }
    }
    if (periodShift() >= 0 && periods(now) > periods(ticked)) {
      flags |= PERIODIC;
    }
    ticked = now;
    cmos[C] |= (byte) flags;
    updateIrq();
  }

  /**
   * When {@link #tick} should be called next, by the host's clock; empty while no interrupt is
   * enabled or the guest has not yet taken the last one.
   */
  public synchronized Optional<Instant> nextEvent() {
    if ((cmos[C] & INTERRUPT) != 0) {
      return Optional.empty();
    }
    Instant next = null;
    if ((cmos[B] & (UPDATE_ENDED | ALARM)) != 0 && !isHalted()) {
      next = ticked.truncatedTo(ChronoUnit.SECONDS).plusSeconds(1);
    }
    if ((cmos[B] & PERIODIC) != 0 && periodShift() >= 0) {
      long count = (periods(ticked) + 1) << periodShift();
      long nanos = ((count % CRYSTAL_HZ) * NANOS + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
      Instant period = Instant.ofEpochSecond(count / CRYSTAL_HZ, nanos);
      next = next == null || period.isBefore(next) ? period : next;
    }
    return Optional.ofNullable(next).map(instant -> instant.minus(offset));
  }

  /** What to run when {@link #nextEvent} has changed; with this object's lock held. */
  synchronized void onSchedule(Runnable action) {
    onSchedule = action;
  }

  /** The alarm matches the time of day; registers from 0xC0 up match anything. */
  private boolean isAlarmBetween(long first, long last) {
    for (long second = Math.max(first, last - 86_399); second <= last; second++) {
      LocalTime time = LocalTime.ofSecondOfDay(Math.floorMod(second, 86_400));
      if (matches(SECONDS_ALARM, encode(time.getSecond()))
          && matches(MINUTES_ALARM, encode(time.getMinute()))
          && matches(HOURS_ALARM, encodeHours(time.getHour()))) {
        return true;
      }
    }
    return false;
  }

  private boolean matches(int alarm, int value) {
    return (cmos[alarm] & ALARM_ANY) == ALARM_ANY || (cmos[alarm] & 0xFF) == value;
  }

  /** The crystal's ticks in a period, as a power of two; negative if there are no periods. */
  private int periodShift() {
    int rate = cmos[A] & A_RATE;
    if (rate == 0 || isDividerReset()) {
      return -1;
    }
    return rate <= 2 ? rate + 6 : rate - 1; // the two fastest rates are not what one expects
  }

  private long periods(Instant time) {
    long count = time.getEpochSecond() * CRYSTAL_HZ + time.getNano() * CRYSTAL_HZ / NANOS;
    return count >> periodShift();
  }

  private void updateIrq() {
    boolean pending = (cmos[C] & cmos[B] & INTERRUPTS) != 0;
    cmos[C] = (byte) (pending ? cmos[C] | INTERRUPT : cmos[C] & ~INTERRUPT);
    if (pending != level) {
      level = pending;
      irq.set(pending);
    }
    onSchedule.run();
  }
}
