// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.irq.FakeIrqLine;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class CmosRtcTest {
  private static final int A = 0x0A;
  private static final int B = 0x0B;
  private static final int C = 0x0C;
  private static final int UIP = 0x80;
  private static final int SET = 0x80;
  private static final int PIE = 0x40;
  private static final int AIE = 0x20;
  private static final int UIE = 0x10;
  private static final int BINARY = 0x04;
  private static final int HOURS_24 = 0x02;

  private final FakeIrqLine irq = new FakeIrqLine();
  private final Bus ports = new Bus("port");
  private Instant host = Instant.parse("2024-02-29T13:07:59.250Z");
  private final CmosRtc rtc = new CmosRtc(() -> host, irq);

  @BeforeEach
  void wire() {
    ports.add(PlatformLayout.RTC, rtc);
  }

  private int get(int register) {
    ports.write(0x70, 1, register);
    return (int) ports.read(0x71, 1);
  }

  private void set(int register, int value) {
    ports.write(0x70, 1, register);
    ports.write(0x71, 1, value);
  }

  private void pass(Duration time) {
    host = host.plus(time);
    rtc.tick();
  }

  private static int bcd(int value) {
    return (value >> 4) * 10 + (value & 0xF);
  }

  /** Linux' mc146818_get_time(), which assumes BCD unless register B says otherwise. */
  private LocalDateTime getTime() {
    assertEquals(0, get(A) & UIP);
    int second = get(0);
    int minute = get(2);
    int hour = get(4);
    int day = get(7);
    int month = get(8);
    int year = get(9);
    int century = get(0x32);
    if ((get(B) & BINARY) != 0) {
      return LocalDateTime.of(century * 100 + year, month, day, hour, minute, second);
    }
    return LocalDateTime.of(
        bcd(century) * 100 + bcd(year), bcd(month), bcd(day), bcd(hour), bcd(minute), bcd(second));
  }

  @Test
  void theTimeIsTheHosts() {
    assertEquals(LocalDateTime.parse("2024-02-29T13:07:59"), getTime());
    assertEquals(0x59, get(0), "in BCD");
    assertEquals(5, get(6), "a Thursday");
    assertEquals(0x80, get(0x0D), "the battery is good");
    assertEquals(0x26, get(A) & 0x7F);
    pass(Duration.ofMillis(750));
    assertEquals(LocalDateTime.parse("2024-02-29T13:08:00"), getTime());
  }

  @Test
  void hoursAndNumbersComeInFourForms() {
    set(B, 0);
    assertEquals(0x81, get(4), "one in the afternoon, BCD");
    set(B, BINARY);
    assertEquals(0x81, get(4));
    assertEquals(59, get(0));
    assertEquals(24, get(9));
    pass(Duration.ofHours(11));
    assertEquals(12, get(4), "just past midnight");
    pass(Duration.ofHours(12));
    assertEquals(0x8C, get(4), "just past noon");
    set(B, BINARY | HOURS_24);
    assertEquals(12, get(4));
    set(B, 0);
    assertEquals(0x92, get(4));
  }

  @Test
  void anUpdateAnnouncesItself() {
    host = Instant.parse("2024-02-29T13:07:59.999755Z");
    assertEquals(0, get(A) & UIP);
    host = Instant.parse("2024-02-29T13:07:59.999756Z");
    assertEquals(UIP, get(A) & UIP);
    host = Instant.parse("2024-02-29T13:08:00Z");
    assertEquals(0, get(A) & UIP);
    set(B, HOURS_24 | SET);
    host = Instant.parse("2024-02-29T13:08:00.999999Z");
    assertEquals(0, get(A) & UIP, "there are no updates");
  }

  /** A driver that polls for UIP going low has 244 µs in which no register changes. */
  @Test
  void afterUipIsSeenLowTheTimeHoldsStill() {
    Random random = new Random(23);
    for (int i = 0; i < 20_000; i++) {
      host = host.plusNanos(random.nextInt(300_000_000));
      if ((get(A) & UIP) == 0) {
        final LocalDateTime expected = LocalDateTime.ofInstant(host, ZoneOffset.UTC).withNano(0);
        host = host.plusNanos(243_000);
        assertEquals(expected.getSecond(), bcd(get(0)));
        assertEquals(expected.getMinute(), bcd(get(2)));
      }
    }
  }

  /** Linux' mc146818_set_time(). */
  @Test
  void settingTheTimeMovesTheClock() {
    int savedB = get(B);
    set(B, savedB | SET);
    int savedA = get(A);
    set(A, savedA | 0x70);
    set(9, 0x99);
    set(8, 0x12);
    set(7, 0x31);
    set(4, 0x23);
    set(2, 0x59);
    set(0, 0x58);
    set(0x32, 0x19);
    pass(Duration.ofMinutes(3));
    assertEquals(0x58, get(0), "it stands still");
    set(B, savedB);
    set(A, savedA);

    assertEquals(LocalDateTime.parse("1999-12-31T23:59:58"), getTime());
    pass(Duration.ofMillis(499));
    assertEquals(0x58, get(0));
    pass(Duration.ofMillis(1));
    assertEquals(0x59, get(0), "the first update comes half a second later");
    pass(Duration.ofSeconds(1));
    assertEquals(LocalDateTime.parse("2000-01-01T00:00:00"), getTime());
    assertEquals(7, get(6), "a Saturday");
  }

  @Test
  void settingWithTheDividerRunningKeepsTheFraction() {
    set(B, SET | HOURS_24 | BINARY);
    set(0, 10);
    set(B, HOURS_24 | BINARY);
    pass(Duration.ofMillis(749));
    assertEquals(10, get(0));
    pass(Duration.ofMillis(1));
    assertEquals(11, get(0));
  }

  @Test
  void settingOneRegisterWhileItRunsWorksToo() {
    set(4, 0x08);
    assertEquals(LocalDateTime.parse("2024-02-29T08:07:59"), getTime());
  }

  @Test
  void hoursAreSetInHalvesOfTheDayToo() {
    int[] hours = {0x12, 0x01, 0x11, 0x92, 0x81, 0x91};
    int[] of24 = {0, 1, 11, 12, 13, 23};
    for (int i = 0; i < hours.length; i++) {
      set(B, 0);
      set(4, hours[i]);
      assertEquals(hours[i], get(4));
      set(B, HOURS_24 | BINARY);
      assertEquals(of24[i], get(4));
    }
  }

  @Test
  void interruptsComeOnTheHostsTimeWhateverTheGuests() {
    set(9, 0x99);
    set(B, HOURS_24 | UIE);
    get(C);
    assertEquals(Optional.of(Instant.parse("2024-02-29T13:08:00Z")), rtc.nextEvent());
  }

  @Test
  void datesThatDoNotExistSpillOver() {
    set(B, SET | HOURS_24 | BINARY);
    set(8, 2);
    set(7, 31);
    set(0, 255);
    set(B, HOURS_24 | BINARY);
    assertEquals(LocalDateTime.parse("2024-03-02T13:11:15"), getTime());
  }

  @Test
  void updateEndedInterruptsEachSecond() {
    get(C);
    set(B, HOURS_24 | UIE);
    assertEquals(Optional.of(Instant.parse("2024-02-29T13:08:00Z")), rtc.nextEvent());
    pass(Duration.ofMillis(749));
    assertFalse(irq.isAsserted());
    pass(Duration.ofMillis(1));
    assertTrue(irq.isAsserted());
    assertEquals(Optional.empty(), rtc.nextEvent(), "until the guest has seen this one");
    assertEquals(0x80, get(C) & ~0x70);
    assertFalse(irq.isAsserted());
    assertEquals(0, get(C));
    pass(Duration.ofSeconds(1));
    assertEquals(0x80 | 0x10, get(C) & 0x90);
  }

  @Test
  void theAlarmRingsOnce() {
    set(1, 0x05);
    set(3, 0x08);
    set(5, 0x13);
    get(C);
    set(B, HOURS_24 | AIE);
    pass(Duration.ofMillis(4_750));
    assertFalse(irq.isAsserted());
    pass(Duration.ofSeconds(1));
    assertTrue(irq.isAsserted());
    assertEquals(0xA0, get(C) & 0xA0);
    pass(Duration.ofHours(23));
    assertEquals(0, get(C) & 0x20);
    pass(Duration.ofHours(1));
    assertEquals(0xA0, get(C) & 0xA0);
  }

  @Test
  void alarmRegistersFrom0xC0MatchAnything() {
    set(1, 0x30);
    set(3, 0xC0);
    set(5, 0xFF);
    set(B, HOURS_24 | AIE);
    for (int minute = 0; minute < 3; minute++) {
      get(C);
      pass(Duration.ofSeconds(60));
      assertTrue(irq.isAsserted());
    }
  }

  @Test
  void thePeriodicInterruptFollowsItsRate() {
    set(B, HOURS_24 | PIE);
    for (int rate = 1; rate < 16; rate++) {
      set(A, 0x20 | rate);
      get(C);
      long ticks = rate <= 2 ? 64L << rate : 1L << (rate - 1); // of the crystal
      int interrupts = 0;
      Instant end = host.plusSeconds(1);
      while (!rtc.nextEvent().orElseThrow().isAfter(end)) {
        host = rtc.nextEvent().orElseThrow();
        rtc.tick();
        assertTrue(irq.isAsserted());
        assertEquals(0xC0, get(C) & 0xC0);
        interrupts++;
      }
      assertEquals(32768 / ticks, interrupts, "rate " + rate);
    }
    set(A, 0x20);
    get(C);
    assertEquals(Optional.empty(), rtc.nextEvent());
  }

  @Test
  void flagsAreRaisedWithoutInterruptsToo() {
    get(C);
    pass(Duration.ofSeconds(1));
    assertEquals(0x50, get(C) & 0xD0);
    assertFalse(irq.isAsserted());
  }

  @Test
  void memoryIsKept() {
    set(0x0F, 0x0A);
    set(0x7F, 0xEE);
    rtc.reset();
    assertEquals(0x0A, get(0x0F));
    assertEquals(0xEE, get(0x7F));
    assertEquals(0xEE, get(0xFF), "the index's top bit is not part of it");
    assertEquals(0xFF, ports.read(0x70, 1));
    ports.write(0x70, 2, 0x550F); // index and data at once
    assertEquals(0x55, get(0x0F));
  }

  @Test
  void resetStopsInterrupts() {
    set(B, HOURS_24 | UIE);
    pass(Duration.ofSeconds(1));
    assertTrue(irq.isAsserted());
    rtc.reset();
    assertFalse(irq.isAsserted());
    assertEquals(HOURS_24, get(B));
    assertEquals(0, get(C));
  }

  @Test
  @Timeout(60)
  void theTickerRaisesInterruptsOfItsOwn() throws InterruptedException {
    Semaphore fired = new Semaphore(0);
    InstantSource clock = InstantSource.system();
    CmosRtc real =
        new CmosRtc(
            clock,
            level -> {
              if (level) {
                fired.release();
              }
            });
    try (RtcTicker ticker = new RtcTicker(real, clock)) {
      real.write(0, 2, ((HOURS_24 | PIE) << 8) | B);
      for (int i = 0; i < 5; i++) {
        fired.acquire(); // nobody but the ticker looks at the clock here
        real.writeByte(0, C);
        assertEquals(0xC0, real.readByte(1) & 0xC0);
      }
    }
  }

  @Test
  void anyAccessIsHarmless() {
    Random random = new Random(29);
    for (int i = 0; i < 200_000; i++) {
      long offset = random.nextInt(10) == 0 ? random.nextLong() : random.nextInt(3) - 1;
      int size = 1 << random.nextInt(4);
      rtc.write(offset, size, random.nextLong());
      rtc.read(offset, size);
      if (random.nextInt(10) == 0) {
        pass(Duration.ofNanos(random.nextLong(3_000_000_000L) - 100_000_000));
        rtc.nextEvent();
      }
    }
    assertEquals(0xFF, rtc.read(2, 1));
    assertEquals(0xFFFF_FFFFL, rtc.read(-4, 4));
  }
}
