// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.irq.FakeMsiRouter;
import dev.spindle.devices.irq.FakeMsiRouter.Message;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** MSI-X as a driver uses it, through configuration space and the table in its BAR. */
class MsixTest {
  private static final int VECTORS = 4;
  private static final int ENABLE = 0x8000;
  private static final int FUNCTION_MASK = 0x4000;

  private final PciGuest guest = new PciGuest();
  private final FakeMsiRouter router = new FakeMsiRouter();
  private final PciTestDevice device = new PciTestDevice().pin();
  private Msix msix;
  private int slot;
  private int capability;
  private long table;
  private long pending;

  @BeforeEach
  void findTheTable() {
    msix = device.msix(1, VECTORS, router);
    slot = guest.bridge.attach(device);
    guest.bridge.assignResources();
    capability = (int) guest.read(slot, 0x34, 1);
    assertEquals(0x11, guest.read(slot, capability, 1));
    assertEquals(VECTORS - 1, guest.read(slot, capability + 2, 2) & 0x7FF);
    table = place(guest.read(slot, capability + 4, 4));
    pending = place(guest.read(slot, capability + 8, 4));
  }

  @AfterEach
  void close() {
    device.close();
  }

  private long place(long tableRegister) {
    int bar = (int) tableRegister & 7;
    return (guest.read(slot, 0x10 + 4 * bar, 4) & ~0xFL) + (tableRegister & ~7L);
  }

  private void control(int value) {
    guest.write(slot, capability + 2, 2, value);
  }

  private void message(int vector, long address, int data) {
    guest.memory.write(table + 16L * vector, 4, address);
    guest.memory.write(table + 16L * vector + 4, 4, address >>> 32);
    guest.memory.write(table + 16L * vector + 8, 4, data);
  }

  private void mask(int vector, boolean masked) {
    guest.memory.write(table + 16L * vector + 12, 4, masked ? 1 : 0);
  }

  @Test
  void vectorsStartMasked() {
    for (int i = 0; i < VECTORS; i++) {
      assertEquals(1, guest.memory.read(table + 16L * i + 12, 4));
    }
    control(ENABLE);
    msix.eventFd(0).signal();
    assertEquals(List.of(), router.deliver());
    assertEquals(0b0001, guest.memory.read(pending, 8));
  }

  /** Linux: enable with everything masked, write the messages, take the function mask off. */
  @Test
  void theMessageIsSentOnceTheDriverHasSetItUp() {
    control(ENABLE | FUNCTION_MASK);
    for (int i = 0; i < VECTORS; i++) {
      message(i, 0xFEE0_1000L, 0x4020 + i);
    }
    mask(0, false);
    mask(2, false);
    msix.eventFd(2).signal();
    assertEquals(List.of(), router.deliver());
    assertEquals(0b0100, guest.memory.read(pending, 4));

    control(ENABLE);
    assertEquals(List.of(new Message(0xFEE0_1000L, 0x4022)), router.deliver());
    assertEquals(0, guest.memory.read(pending, 4));

    msix.eventFd(0).signal();
    msix.eventFd(1).signal();
    assertEquals(List.of(new Message(0xFEE0_1000L, 0x4020)), router.deliver());
    assertEquals(0b0010, guest.memory.read(pending, 4));
  }

  @Test
  void aMaskedVectorRemembersOneInterrupt() {
    control(ENABLE);
    message(1, 0xFEE0_0000L, 0x31);
    mask(1, false);
    mask(1, true);
    msix.eventFd(1).signal();
    msix.eventFd(1).signal();
    assertEquals(0b0010, guest.memory.read(pending, 1));
    assertEquals(0b0010, guest.memory.read(pending, 1), "looking does not take it");
    assertEquals(List.of(), router.deliver());
    mask(1, false);
    assertEquals(List.of(new Message(0xFEE0_0000L, 0x31)), router.deliver());
    assertEquals(List.of(), router.deliver());
  }

  /** A new affinity: masked, changed, unmasked; what came meanwhile goes to the new processor. */
  @Test
  void aMessageChangedWhileMaskedIsUsedFromThenOn() {
    control(ENABLE);
    message(1, 0xFEE0_0000L, 0x31);
    mask(1, false);
    mask(1, true);
    msix.eventFd(1).signal();
    message(1, 0xFEE0_2000L, 0x55);
    assertTrue(router.vectors().get(1).isMasked());
    mask(1, false);
    assertEquals(List.of(new Message(0xFEE0_2000L, 0x55)), router.deliver());
  }

  @Test
  void aMessageChangedWhileUnmaskedTakesEffect() {
    control(ENABLE);
    message(1, 0xFEE0_0000L, 0x31);
    mask(1, false);
    int programmed = router.vectors().get(1).programmed();
    guest.memory.write(table + 16 + 8, 4, 0x32);
    guest.memory.write(table + 16 + 8, 4, 0x32);
    assertEquals(programmed + 1, router.vectors().get(1).programmed(), "only when it changes");
    msix.eventFd(1).signal();
    assertEquals(List.of(new Message(0xFEE0_0000L, 0x32)), router.deliver());
  }

  @Test
  void quadwordsReachTwoFields() {
    control(ENABLE);
    guest.memory.write(table, 8, 0x12_FEE0_3003L);
    assertEquals(0x12_FEE0_3000L, guest.memory.read(table, 8), "the low two bits are zero");
    guest.memory.write(table + 8, 8, 0xFFFF_FFFE_0000_0041L);
    assertEquals(0x41, guest.memory.read(table + 8, 8), "of the control, only the mask");
    assertFalse(router.vectors().get(0).isMasked());
    msix.eventFd(0).signal();
    assertEquals(List.of(new Message(0x12_FEE0_3000L, 0x41)), router.deliver());
  }

  @Test
  void withoutMsixTheEventFdsWait() {
    message(0, 0xFEE0_0000L, 0x31);
    mask(0, false);
    msix.eventFd(0).signal();
    assertFalse(msix.enabled());
    assertEquals(List.of(), router.deliver());
    control(ENABLE);
    assertTrue(msix.enabled());
    assertEquals(1, router.deliver().size());
    control(0);
    msix.eventFd(0).signal();
    assertEquals(List.of(), router.deliver());
  }

  @Test
  void thePinIsQuietWhileMsixIsEnabled() {
    device.interrupt(true);
    assertTrue(guest.lines.get(slot % 4).isAsserted());
    control(ENABLE);
    assertFalse(guest.lines.get(slot % 4).isAsserted());
    control(0);
    assertTrue(guest.lines.get(slot % 4).isAsserted());
  }

  @Test
  void resetMasksAndForgets() {
    control(ENABLE);
    message(0, 0xFEE0_0000L, 0x31);
    mask(0, false);
    mask(0, true);
    msix.eventFd(0).signal();
    guest.bridge.reset();
    assertFalse(msix.enabled());
    guest.bridge.assignResources();
    assertEquals(0, guest.memory.read(pending, 8));
    assertEquals(0, guest.memory.read(table, 8));
    assertEquals(1, guest.memory.read(table + 12, 4));
    control(ENABLE);
    mask(0, false);
    assertEquals(List.of(), router.deliver());
  }

  @Test
  void theLargestTableFits() {
    PciTestDevice large = new PciTestDevice();
    Msix all = large.msix(0, 2048, new FakeMsiRouter());
    assertEquals(0x8000, all.pendingOffset());
    assertEquals(0x10000, all.barSize());
    all.eventFd(2047).signal();
    assertEquals(0x80, all.read(0x8000 + 255, 1));
    assertEquals(0, all.read(0x8000 + 256, 8));
    large.close();
    assertThrows(
        IllegalArgumentException.class,
        () -> new PciTestDevice().msix(0, 2049, new FakeMsiRouter()));
    assertThrows(
        IllegalArgumentException.class, () -> new PciTestDevice().msix(0, 0, new FakeMsiRouter()));
  }

  @Test
  void vectorsAreGivenBackWhenTheRouterRunsOut() {
    FakeMsiRouter limited = new FakeMsiRouter();
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () ->
                new PciTestDevice()
                    .msix(
                        0,
                        3,
                        irqfd -> {
                          if (limited.vectors().size() == 2) {
                            throw new IllegalStateException("no vectors left");
                          }
                          return limited.allocate(irqfd);
                        }));
    assertEquals("no vectors left", refused.getMessage());
    assertTrue(limited.vectors().stream().allMatch(FakeMsiRouter.Vector::isClosed));
  }

  /** Any access anywhere in the BAR, with the vectors' states compared with the table's. */
  @Test
  void randomAccessesKeepVectorsAndTableInStep() {
    Random random = new Random(5);
    int[] sizes = {1, 2, 4, 8};
    for (int i = 0; i < 100_000; i++) {
      int size = sizes[random.nextInt(4)];
      long offset = random.nextInt(random.nextBoolean() ? 16 * VECTORS + 8 : 0x2000);
      switch (random.nextInt(4)) {
        case 0 -> guest.memory.write(table + offset, size, random.nextLong());
        case 1 -> guest.memory.read(table + offset, size);
        case 2 -> control(random.nextInt(0x10000));
        default -> msix.eventFd(random.nextInt(VECTORS)).signal();
      }
      long control = guest.read(slot, capability + 2, 2);
      for (int vector = 0; vector < VECTORS; vector++) {
        long masked = guest.memory.read(table + 16L * vector + 12, 4);
        assertTrue(masked <= 1);
        boolean open = (control & (ENABLE | FUNCTION_MASK)) == ENABLE && masked == 0;
        assertEquals(!open, router.vectors().get(vector).isMasked());
      }
      Message[] expected = new Message[VECTORS];
      for (int vector = 0; vector < VECTORS; vector++) {
        expected[vector] =
            new Message(
                guest.memory.read(table + 16L * vector, 8),
                (int) guest.memory.read(table + 16L * vector + 8, 4));
      }
      for (Message message : router.deliver()) {
        assertTrue(List.of(expected).contains(message), message + " was never programmed");
      }
    }
  }
}
