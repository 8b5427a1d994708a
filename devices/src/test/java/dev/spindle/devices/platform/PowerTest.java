// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.FakeIrqLine;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Power, reset and the keyboard controller, at their ports. */
class PowerTest {
  private static final long EVENT = PlatformLayout.PM1A_EVENT.base();
  private static final long CONTROL = PlatformLayout.PM1A_CONTROL.base();
  private static final long TIMER = PlatformLayout.PM_TIMER.base();
  private static final int POWER_BUTTON = 1 << 8;

  private final PowerLog power = new PowerLog();
  private final FakeIrqLine sci = new FakeIrqLine();
  private final Bus ports = new Bus("port");
  private long nanos = 123_456_789;
  private final AcpiPower acpi = new AcpiPower(sci, power, () -> nanos);
  private final I8042 keyboard = new I8042(power);

  @BeforeEach
  void wire() {
    ports.add(PlatformLayout.PM1A_EVENT, acpi.eventBlock());
    ports.add(PlatformLayout.PM1A_CONTROL, acpi.controlBlock());
    ports.add(PlatformLayout.PM_TIMER, acpi.timer());
    ports.add(PlatformLayout.I8042_DATA, keyboard.dataPort());
    ports.add(PlatformLayout.I8042_COMMAND, keyboard.commandPort());
    ports.add(PlatformLayout.POST_CODE, new PostCodePort());
  }

  // ---- ACPI ------------------------------------------------------------------------------------

  @Test
  void theHardwareIsInAcpiModeFromTheStart() {
    assertEquals(1, ports.read(CONTROL, 2) & 1);
    ports.write(CONTROL, 2, 0);
    assertEquals(1, ports.read(CONTROL, 2), "and stays in it");
  }

  /** Linux enters S5 by writing the sleep type first, then the same with SLP_EN. */
  @Test
  void softOffShutsDown() {
    long value = ports.read(CONTROL, 2) | (AcpiPower.SLEEP_TYPE_S5 << 10);
    ports.write(CONTROL, 2, value);
    assertEquals(List.of(), power.take());
    ports.write(CONTROL, 2, value | (1 << 13));
    assertEquals(List.of("shutdown"), power.take());
    assertEquals(0, ports.read(CONTROL, 2) & (1 << 13), "SLP_EN reads as zero");
  }

  @Test
  void otherSleepStatesAreIgnored() {
    for (int type = 0; type < 8; type++) {
      if (type != AcpiPower.SLEEP_TYPE_S5) {
        ports.write(CONTROL, 2, (type << 10) | (1 << 13));
      }
    }
    assertEquals(List.of(), power.take());
  }

  @Test
  void softOffInSingleBytesWorksToo() {
    ports.write(CONTROL + 1, 1, (AcpiPower.SLEEP_TYPE_S5 << 2) | (1 << 5));
    assertEquals(List.of("shutdown"), power.take());
  }

  @Test
  void thePowerButtonInterruptsUntilItIsAcknowledged() {
    acpi.pressPowerButton();
    assertFalse(sci.isAsserted(), "not enabled");
    ports.write(EVENT + 2, 2, POWER_BUTTON);
    assertTrue(sci.isAsserted());
    assertEquals(POWER_BUTTON, ports.read(EVENT, 2));
    ports.write(EVENT, 2, 0xFFFF & ~POWER_BUTTON);
    assertTrue(sci.isAsserted());
    ports.write(EVENT, 2, POWER_BUTTON);
    assertFalse(sci.isAsserted());
    assertEquals(0, ports.read(EVENT, 2));
    acpi.pressPowerButton();
    assertTrue(sci.isAsserted());
    acpi.reset();
    assertFalse(sci.isAsserted());
    assertEquals(0, ports.read(EVENT, 4));
  }

  @Test
  void onlyMeaningfulEventsCanBeEnabled() {
    ports.write(EVENT, 4, -1);
    assertEquals(0x0721, ports.read(EVENT + 2, 2));
    assertEquals(0x0721_0000L, ports.read(EVENT, 4));
  }

  @Test
  void theTimerCountsAtItsFrequency() {
    assertEquals(0, ports.read(TIMER, 4));
    nanos += 1_000_000_000;
    assertEquals(3_579_545, ports.read(TIMER, 4));
    nanos += 1_000_000;
    assertEquals(3_579_545 + 3_579, ports.read(TIMER, 4));
    ports.write(TIMER, 4, 0);
    assertEquals(3_583_124, ports.read(TIMER, 4));
    assertEquals((3_583_124 >> 8) & 0xFFFF, ports.read(TIMER + 1, 2));
    nanos = 123_456_789 + 1_000_000_000L * 1_000_000; // eleven days
    assertEquals(3_579_545_000_000L & 0xFFFF_FFFFL, ports.read(TIMER, 4), "wraps at 32 bits");
    nanos = 123_456_789 + 1_000_000_000L * 1_000_000_000; // 31 years
    assertEquals(3_579_545_000_000_000L & 0xFFFF_FFFFL, ports.read(TIMER, 4));
  }

  // ---- Reset -----------------------------------------------------------------------------------

  /** Linux' BOOT_CF9: ask for a hard reset, then do it. */
  @Test
  void theResetRegisterResets() {
    ResetRegister register = new ResetRegister(power);
    register.writeByte(0, register.readByte(0) | 2);
    assertEquals(List.of(), power.take());
    assertEquals(2, register.readByte(0));
    register.writeByte(0, register.readByte(0) | 6);
    assertEquals(List.of("reset"), power.take());
    register.writeByte(0, PlatformLayout.RESET_VALUE);
    assertEquals(List.of("reset"), power.take());
    register.reset();
    assertEquals(0, register.readByte(0));
  }

  // ---- i8042 -----------------------------------------------------------------------------------

  /** Linux' kb_wait() and BOOT_KBD. */
  @Test
  void pulsingTheResetLineResets() {
    assertEquals(0, ports.read(0x64, 1) & 2, "ready for a command");
    ports.write(0x64, 1, 0xFE);
    assertEquals(List.of("reset"), power.take());
    ports.write(0x64, 1, 0xFF);
    assertEquals(List.of(), power.take(), "0xFF pulses nothing");
    ports.write(0x64, 1, 0xD1);
    ports.write(0x60, 1, 0xDE);
    assertEquals(List.of("reset"), power.take());
    ports.write(0x60, 1, 0xDE);
    assertEquals(List.of(), power.take(), "data for a keyboard");
  }

  /** The start of Linux' i8042_controller_check(), _init() and _check_aux(). */
  @Test
  void aDriverThatProbesIsAnsweredAtOnce() {
    assertEquals(0, ports.read(0x64, 1) & 1, "nothing to flush");
    assertEquals(0x55, command(0xAA), "self-test");
    int config = command(0x20);
    assertEquals(0x30, config & 0x30, "both ports are off");
    ports.write(0x64, 1, 0x60);
    ports.write(0x60, 1, (config & ~0x10) | 0x01);
    assertEquals((config & ~0x10) | 0x01, command(0x20));
    ports.write(0x64, 1, 0xAD);
    assertEquals(config | 0x01, command(0x20));
    ports.write(0x64, 1, 0xD3);
    ports.write(0x60, 1, 0x5A);
    assertEquals(0x21, ports.read(0x64, 1) & 0x21, "looped back as the mouse's");
    assertEquals(0x5A, ports.read(0x60, 1));
    assertEquals(1, command(0xA9), "but no mouse");
    assertEquals(1, command(0xAB), "and no keyboard");
    ports.write(0x60, 1, 0xF2);
    assertEquals(0, ports.read(0x64, 1) & 1, "nobody answers");
    assertEquals(1, command(0xD0) & 1);
  }

  private int command(int command) {
    ports.write(0x64, 1, command);
    assertEquals(1, ports.read(0x64, 1) & 1);
    int answer = (int) ports.read(0x60, 1);
    assertEquals(0, ports.read(0x64, 1) & 1);
    return answer;
  }

  @Test
  void resetForgetsAHalfGivenCommand() {
    ports.write(0x64, 1, 0xD1);
    keyboard.reset();
    ports.write(0x60, 1, 0);
    assertEquals(List.of(), power.take());
  }

  // ---- All -------------------------------------------------------------------------------------

  @Test
  void thePostCodeIsRemembered() {
    ports.write(0x80, 1, 0x42);
    assertEquals(0x42, ports.read(0x80, 1));
  }

  @Test
  void anyAccessIsHarmless() {
    Random random = new Random(17);
    List<BusDevice> devices =
        List.of(
            acpi.eventBlock(),
            acpi.controlBlock(),
            acpi.timer(),
            keyboard.dataPort(),
            keyboard.commandPort(),
            new PostCodePort(),
            new ResetRegister(power));
    for (int i = 0; i < 300_000; i++) {
      BusDevice device = devices.get(random.nextInt(devices.size()));
      long offset = random.nextInt(10) == 0 ? random.nextLong() : random.nextInt(8) - 1;
      int size = 1 << random.nextInt(4);
      device.write(offset, size, random.nextLong());
      device.read(offset, size);
    }
    for (BusDevice device : devices) {
      assertEquals(0xFF, device.read(4, 1) & 0xFF);
      assertEquals(0xFF, device.read(-1, 1) & 0xFF);
    }
  }
}
