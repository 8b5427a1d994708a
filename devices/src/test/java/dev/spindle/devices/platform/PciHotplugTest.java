// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.platform;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.Bus;
import dev.spindle.devices.irq.IrqLine;
import dev.spindle.devices.irq.SharedIrqLine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The registers of hotplug and of the event that tells of it, as a guest uses them. */
@Timeout(60)
class PciHotplugTest {
  private static final int EVENT = 1;
  private static final long STATUS = 0x610;
  private static final long ENABLE = 0x612;
  private static final long UP = 0x620;
  private static final long DOWN = 0x624;
  private static final long EJECT = 0x628;

  private final List<Boolean> levels = new ArrayList<>();
  private final SharedIrqLine sci = new SharedIrqLine(levels::add);
  private final GeneralPurposeEvents events = new GeneralPurposeEvents(sci.addWire());
  private final PciHotplug hotplug = new PciHotplug(events, EVENT);
  private final Bus ports = new Bus("port");
  private final List<Integer> ejected = new ArrayList<>();
  private CompletableFuture<Void> rest = CompletableFuture.completedFuture(null);

  PciHotplugTest() {
    ports.add(new AddressRange(STATUS, 4), events);
    ports.add(new AddressRange(UP, 12), hotplug);
    hotplug.ejectBy(
        slot -> {
          ejected.add(slot);
          return rest;
        });
  }

  private long read(long port) {
    return ports.read(port, 4);
  }

  private void acknowledge() {
    ports.write(STATUS, 2, 1 << EVENT);
  }

  @Test
  void anEventThatIsEnabledInterruptsUntilItIsCleared() {
    events.raise(EVENT);
    assertEquals(List.of(), levels, "not enabled");
    ports.write(ENABLE, 2, 1 << EVENT);
    assertEquals(List.of(true), levels);
    assertEquals(1 << EVENT | 1L << EVENT << 16, read(STATUS));
    ports.write(STATUS, 2, 0xFFFF & ~(1 << EVENT));
    assertTrue(events.isPending(EVENT), "only ones clear");
    acknowledge();
    assertEquals(List.of(true, false), levels);
    assertFalse(events.isPending(EVENT));
    events.raise(9);
    assertEquals(2, ports.read(STATUS + 1, 1), "the upper half");
    ports.write(ENABLE + 1, 1, 2);
    ports.write(STATUS + 1, 1, 2);
    assertEquals(List.of(true, false, true, false), levels);
    assertEquals(0x202, ports.read(ENABLE, 2));
    events.raise(EVENT);
    events.reset();
    assertEquals(0, read(STATUS));
    assertEquals(List.of(true, false, true, false, true, false), levels);
  }

  @Test
  void aLineIsAssertedWhileAnyWireIs() {
    IrqLine other = sci.addWire();
    ports.write(ENABLE, 2, 1 << EVENT);
    other.set(true);
    other.set(true);
    events.raise(EVENT);
    other.set(false);
    assertEquals(List.of(true), levels);
    acknowledge();
    assertEquals(List.of(true, false), levels);
  }

  @Test
  void eachDeviceThatComesIsToldOnce() {
    hotplug.plugged(3);
    hotplug.plugged(31);
    assertTrue(events.isPending(EVENT));
    assertEquals(1L << 31 | 1 << 3, read(UP));
    assertEquals(0, read(UP));
    assertEquals(0, read(DOWN));
    hotplug.plugged(4);
    hotplug.guestStarts();
    assertEquals(0, read(UP), "a guest that starts looks by itself");
  }

  @Test
  void aDeviceIsAskedForOnceUntilTheGuestHasLooked() {
    assertTrue(hotplug.requestEject(5));
    assertFalse(hotplug.requestEject(5));
    assertTrue(hotplug.requestEject(6), "another one");
    assertEquals(1 << 5 | 1 << 6, read(DOWN));
    assertEquals(0, read(DOWN));
    acknowledge();
    assertTrue(hotplug.requestEject(5), "it may have been lost");
    assertEquals(1 << 5, read(DOWN));
    ports.write(EJECT, 4, 1 << 5);
    assertEquals(List.of(5), ejected);
    assertTrue(hotplug.requestEject(5), "there may be another device");
  }

  @Test
  void aGuestEjectsWhatItLikes() {
    ports.write(EJECT, 4, 1L << 31 | 1 << 1);
    assertEquals(List.of(1, 31), ejected);
    assertEquals(0, read(EJECT));
  }

  @Test
  void whatGoesIsNotToldOfAnyMore() {
    hotplug.plugged(2);
    hotplug.requestEject(2);
    ports.write(EJECT, 4, 1 << 2);
    assertEquals(0, read(UP));
    assertEquals(0, read(DOWN));
    hotplug.reset();
    assertEquals(List.of(2), ejected);
  }

  @Test
  void accessesOfOtherWidthsTouchNothing() {
    hotplug.plugged(2);
    assertEquals(0xFF, ports.read(UP, 1));
    assertEquals(0xFFFF, ports.read(UP + 1, 2));
    assertEquals(0, read(UP + 2), "between two registers");
    ports.write(EJECT, 2, 1 << 2);
    ports.write(UP, 4, -1);
    ports.write(DOWN, 4, -1);
    assertEquals(List.of(), ejected);
    assertEquals(1 << 2, read(UP));
  }

  @Test
  void aResetCompletesWhatWasAskedForAndWaitsForAllThatLeaves() throws Exception {
    rest = new CompletableFuture<>();
    ports.write(EJECT, 4, 1 << 7);
    CompletableFuture<Void> first = rest;
    rest = new CompletableFuture<>();
    hotplug.requestEject(8);
    Thread reset = Thread.ofPlatform().start(hotplug::reset);
    while (reset.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    assertEquals(List.of(7, 8), ejected);
    first.complete(null);
    assertTrue(reset.isAlive());
    rest.complete(null);
    reset.join();
    assertEquals(0, read(DOWN));
    hotplug.reset();
    assertEquals(List.of(7, 8), ejected);
  }

  @Test
  void aDeviceThatDoesNotComeToRestFailsTheReset() {
    rest = new CompletableFuture<>();
    ports.write(EJECT, 4, 1 << 7);
    rest.completeExceptionally(new IllegalStateException("on purpose"));
    assertThrows(CompletionException.class, hotplug::reset);
  }
}
