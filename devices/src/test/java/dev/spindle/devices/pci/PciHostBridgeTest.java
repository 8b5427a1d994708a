// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.bus.AddressRange;
import dev.spindle.devices.bus.BusDevice;
import dev.spindle.devices.irq.FakeMsiRouter;
import dev.spindle.devices.platform.PlatformLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PciHostBridgeTest {
  private static final int COMMAND = 4;
  private static final int STATUS = 6;
  private static final int BAR0 = 0x10;

  private final PciGuest guest = new PciGuest();

  /** Linux' pci_check_type1. */
  @Test
  void configurationMechanism1IsDetected() {
    guest.ports.write(0xCFB, 1, 1);
    long saved = guest.ports.read(0xCF8, 4);
    guest.ports.write(0xCF8, 4, 0x8000_0000L);
    assertEquals(0x8000_0000L, guest.ports.read(0xCF8, 4));
    assertEquals(0x0600, guest.conf1Read(0, 0x0A, 2), "class of the host bridge");
    assertEquals(0, saved);
  }

  @Test
  void bothWaysLeadToTheSameConfigurationSpace() {
    guest.bridge.attach(3, new PciTestDevice());

    assertEquals(0x1B36, guest.read(0, 0, 2));
    assertEquals(0x0008, guest.conf1Read(0, 2, 2));
    assertEquals(0x1042_1AF4L, guest.conf1Read(3, 0, 4));
    assertEquals(0x1042_1AF4L, guest.read(3, 0, 4));
    assertEquals(0x10, guest.conf1Read(3, 3, 1));
    assertEquals(0x01800001L, guest.read(3, 8, 4), "class and revision");
    assertEquals(0x1100_1AF4L, guest.read(3, 0x2C, 4));

    guest.conf1Write(3, 0x0C, 1, 0x10);
    assertEquals(0x10, guest.read(3, 0x0C, 1));
    guest.write(3, 0x0C, 4, 0x20);
    assertEquals(0x20, guest.conf1Read(3, 0x0C, 4));
  }

  @Test
  void absentFunctionsReadAsAllOnes() {
    guest.bridge.attach(3, new PciTestDevice());

    assertEquals(0xFFFF_FFFFL, guest.conf1Read(4, 0, 4));
    assertEquals(0xFFFF, guest.read(31, 0, 2));
    assertEquals(0xFFFF_FFFFL, guest.memory.read(PciGuest.ecam(3, 0) + 0x1000, 4), "function 1");
    assertEquals(0xFFFF_FFFFL, guest.memory.read(PciGuest.ecam(3, 0) + (1 << 20), 4), "bus 1");
    assertEquals(0xFF, guest.memory.read(PlatformLayout.PCI_ECAM.last(), 1));
    assertEquals(0xFFFF_FFFFL, guest.read(3, 0x100, 4), "extended configuration space");
    guest.ports.write(0xCF8, 4, 0x1800);
    assertEquals(0xFFFF_FFFFL, guest.ports.read(0xCFC, 4), "without the enable bit");
    guest.ports.write(0xCFC, 4, 0);
  }

  @Test
  void byteAccessesToPort0xCF9BelongToTheResetRegister() {
    guest.ports.write(0xCF8, 4, 0x8000_1234L);
    assertEquals(List.of(), guest.resets);
    assertEquals(0x5A, guest.ports.read(0xCF9, 1));
    guest.ports.write(0xCF9, 1, 6);
    assertEquals(List.of(6), guest.resets);
    guest.ports.write(0xCF8, 1, 0);
    guest.ports.write(0xCF8, 2, 0);
    assertEquals(0x8000_1234L, guest.ports.read(0xCF8, 4), "unharmed");
    assertEquals(0xFFFF, guest.ports.read(0xCF8, 2));
  }

  @Test
  void barsAreSizedAsLinuxDoesIt() {
    PciTestDevice device =
        new PciTestDevice()
            .bar(0, BarKind.MEMORY32, 0x1000)
            .bar(1, BarKind.IO, 0x20)
            .bar(2, BarKind.MEMORY64, 0x4000)
            .bar(4, BarKind.MEMORY64, 1L << 33);
    int slot = guest.bridge.attach(device);
    guest.bridge.assignResources();

    AddressRange bar0 = guest.sizeBar(slot, 0);
    AddressRange bar1 = guest.sizeBar(slot, 1);
    AddressRange bar2 = guest.sizeBar(slot, 2);
    AddressRange bar4 = guest.sizeBar(slot, 4);

    assertEquals(new AddressRange(0xC000_0000L, 0x1000), bar0);
    assertEquals(new AddressRange(0x1000, 0x20), bar1);
    assertEquals(1L << 33, bar4.length());
    assertEquals(0x2_0000_0000L, bar4.base(), "aligned to its size");
    assertEquals(new AddressRange(0x4_0000_0000L, 0x4000), bar2, "after the larger one");
    assertEquals(0xABABABABL, guest.memory.read(bar2.base() + 8, 4), "decodes again");
    assertEquals(0xAB, guest.ports.read(0x101F, 1));
    assertEquals(0xFF, guest.ports.read(0x1020, 1));
  }

  @Test
  void anUnusedBarIsZeroWhateverIsWritten() {
    int slot = guest.bridge.attach(new PciTestDevice());
    assertNull(guest.sizeBar(slot, 0));
    guest.write(slot, 0x30, 4, 0xFFFF_FFFFL);
    assertEquals(0, guest.read(slot, 0x30, 4), "no expansion ROM");
  }

  @Test
  void theCommandRegisterSwitchesDecoding() {
    PciTestDevice device =
        new PciTestDevice().bar(0, BarKind.MEMORY32, 0x1000).bar(1, BarKind.IO, 0x20);
    int slot = guest.bridge.attach(device);
    guest.bridge.assignResources();
    assertEquals(List.of("map 0: c0000000", "map 1: 1000"), device.takeEvents());

    guest.write(slot, COMMAND, 2, PciDevice.COMMAND_MEMORY);
    assertEquals(List.of("unmap 1: 1000"), device.takeEvents());
    assertEquals(0xFFFF, guest.ports.read(0x1000, 2));
    guest.write(slot, COMMAND, 2, PciDevice.COMMAND_IO | PciDevice.COMMAND_BUS_MASTER);
    assertEquals(List.of("unmap 0: c0000000", "map 1: 1000"), device.takeEvents());
    assertTrue(device.isBusMaster());
    guest.write(slot, COMMAND, 2, 0xFFFF);
    assertEquals(0x0547, guest.read(slot, COMMAND, 2), "only what means something");
  }

  @Test
  void aBarMovesWhileItIsDecoded() {
    PciTestDevice device = new PciTestDevice().bar(0, BarKind.MEMORY64, 0x1000);
    int slot = guest.bridge.attach(device);
    guest.bridge.assignResources();
    device.takeEvents();
    long high = PlatformLayout.pciMemory64(0x1_4000_0000L).base();

    guest.write(slot, BAR0, 8, high + 0x5000);
    assertEquals(
        List.of("unmap 0: %x".formatted(high), "map 0: %x".formatted(high + 0x5000)),
        device.takeEvents());
    assertEquals(0xFF, guest.memory.read(high, 1));
    assertEquals(0xAB, guest.memory.read(high + 0x5FFF, 1));

    // In halves, as a guest of 32 bits does: nothing is decoded in between.
    guest.write(slot, BAR0 + 4, 4, 0);
    guest.write(slot, BAR0, 4, 0xC010_0000L);
    assertEquals(
        List.of("unmap 0: %x".formatted(high + 0x5000), "map 0: c0100000"), device.takeEvents());
  }

  @Test
  void aBarOverAnotherWaitsUntilThatIsGone() {
    PciTestDevice first = new PciTestDevice(0x11).bar(0, BarKind.MEMORY32, 0x1000);
    PciTestDevice second = new PciTestDevice(0x22).bar(0, BarKind.MEMORY32, 0x1000);
    int slot1 = guest.bridge.attach(first);
    int slot2 = guest.bridge.attach(second);
    guest.bridge.assignResources();

    guest.write(slot2, BAR0, 4, 0xC000_0000L);
    assertEquals(0x11, guest.memory.read(0xC000_0000L, 1), "first come, first served");
    assertEquals(0xFF, guest.memory.read(0xC000_1000L, 1));
    assertEquals(0xC000_0000L, guest.read(slot2, BAR0, 4));

    guest.write(slot1, BAR0, 4, 0xC000_1000L);
    assertEquals(0x22, guest.memory.read(0xC000_0000L, 1));
    assertEquals(0x11, guest.memory.read(0xC000_1000L, 1));

    guest.write(slot2, BAR0, 4, 0xC000_1000L);
    guest.write(slot1, COMMAND, 2, 0);
    assertEquals(0x22, guest.memory.read(0xC000_1000L, 1));
  }

  @Test
  void aBarOutsideTheWindowsDecodesNothing() {
    PciTestDevice device =
        new PciTestDevice().bar(0, BarKind.MEMORY64, 0x1000).bar(2, BarKind.IO, 0x100);
    int slot = guest.bridge.attach(device);
    guest.bridge.assignResources();
    device.takeEvents();

    guest.write(slot, BAR0, 8, 0x10_0000); // RAM
    guest.write(slot, BAR0 + 8, 4, 0x300); // serial ports and all
    assertEquals(2, device.takeEvents().size());
    for (long address :
        new long[] {0, 0xFEE0_0000L, 0xFEC0_0000L, 0xE000_0000L, -0x1000L, Long.MIN_VALUE}) {
      guest.write(slot, BAR0, 8, address);
    }
    assertEquals(List.of(), device.takeEvents());
    guest.write(slot, BAR0, 8, 0xDFFF_F000L);
    assertEquals(List.of("map 0: dffff000"), device.takeEvents());
  }

  @Test
  void resourcesThatDoNotFitAreRefusedByName() {
    guest.bridge.attach(5, new PciTestDevice().bar(2, BarKind.MEMORY32, 1L << 30));
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, guest.bridge::assignResources);
    assertEquals(
        "no room for BAR 2 of PCI slot 5, 0x40000000 bytes, in the window 0xc0000000-0xdfffffff",
        refused.getMessage());
  }

  @Test
  void slotsRunOutAndAreNotShared() {
    for (int i = 1; i < 32; i++) {
      assertEquals(i, guest.bridge.attach(new PciTestDevice()));
    }
    assertEquals(
        "all 32 PCI slots are taken",
        assertThrows(IllegalStateException.class, () -> guest.bridge.attach(new PciTestDevice()))
            .getMessage());
    assertEquals(
        "PCI slot 0 is taken",
        assertThrows(
                IllegalArgumentException.class, () -> guest.bridge.attach(0, new PciTestDevice()))
            .getMessage());
    assertEquals(
        "there is no PCI slot 32: slots are 0 to 31",
        assertThrows(
                IllegalArgumentException.class, () -> guest.bridge.attach(32, new PciTestDevice()))
            .getMessage());
    assertThrows(IllegalArgumentException.class, () -> guest.bridge.detach(-1));
  }

  @Test
  void aDetachedDeviceIsGone() {
    PciTestDevice device = new PciTestDevice().bar(0, BarKind.MEMORY32, 0x1000).pin();
    guest.bridge.attach(6, device);
    guest.bridge.assignResources();
    device.interrupt(true);
    assertTrue(guest.lines.get(2).isAsserted());

    guest.bridge.detach(6);

    assertEquals(0xFFFF_FFFFL, guest.read(6, 0, 4));
    assertEquals(0xFF, guest.memory.read(0xC000_0000L, 1));
    assertFalse(guest.lines.get(2).isAsserted());
    assertEquals("unmap 0: c0000000", device.takeEvents().getLast());
    assertEquals(6, attachedAfter(6));
  }

  private int attachedAfter(int slots) {
    int slot = 0;
    while (slot < slots) {
      slot = guest.bridge.attach(new PciTestDevice());
    }
    return slot;
  }

  @Test
  void capabilitiesAreFoundByWalkingTheList() {
    PciTestDevice device = new PciTestDevice();
    int first = device.capability(0x09, new byte[] {0x10, 1}, new byte[] {0, (byte) 0xF0});
    int second = device.capability(0x09, new byte[17], new byte[17]);
    device.msix(4, 3, new FakeMsiRouter());
    int slot = guest.bridge.attach(device);

    assertEquals(0x10, guest.read(slot, STATUS, 2) & 0x10);
    List<Integer> found = new ArrayList<>();
    for (long at = guest.read(slot, 0x34, 1); at != 0; at = guest.read(slot, (int) at + 1, 1)) {
      assertEquals(0, at % 4);
      found.add((int) guest.read(slot, (int) at, 1));
    }
    assertEquals(List.of(0x09, 0x09, 0x11), found);
    assertEquals(0x40, first);
    assertEquals(0x44, second);
    guest.write(slot, first, 4, 0xFFFF_FFFFL);
    assertEquals(0xF110_4409L, guest.read(slot, first, 4), "only the writable bits change");
    device.close();
  }

  @Test
  void interruptPinsShareLevelTriggeredLines() {
    PciTestDevice one = new PciTestDevice().pin();
    PciTestDevice five = new PciTestDevice().pin();
    guest.bridge.attach(1, one);
    guest.bridge.attach(5, five);
    assertEquals(1, guest.read(1, 0x3D, 1), "INTA#");
    guest.write(1, 0x3C, 1, 17);
    assertEquals(17, guest.read(1, 0x3C, 1));

    one.interrupt(true);
    five.interrupt(true);
    five.interrupt(false);
    assertTrue(guest.lines.get(1).isAsserted());
    five.interrupt(true);
    one.interrupt(false);
    assertTrue(guest.lines.get(1).isAsserted());
    assertEquals(1, guest.lines.get(1).takeEdges());
    assertEquals(0, guest.read(1, STATUS, 2) & 8);
    assertEquals(8, guest.read(5, STATUS, 2) & 8);

    guest.write(5, COMMAND, 2, PciDevice.COMMAND_INTX_DISABLE);
    assertFalse(guest.lines.get(1).isAsserted());
    assertEquals(8, guest.read(5, STATUS, 2) & 8, "the status does not care");
    guest.write(5, COMMAND, 2, 0);
    assertTrue(guest.lines.get(1).isAsserted());
    five.interrupt(false);
    assertFalse(guest.lines.get(1).isAsserted());
    assertEquals(17, PlatformLayout.pciGsi(5, 0));
  }

  @Test
  void resetPutsEverythingBack() {
    FakeMsiRouter router = new FakeMsiRouter();
    PciTestDevice device = new PciTestDevice().bar(0, BarKind.MEMORY64, 0x1000).pin();
    device.msix(2, 2, router);
    int slot = guest.bridge.attach(device);
    byte[] before = configOf(slot);
    guest.bridge.assignResources();
    for (int register = 0x28; register < 256; register++) {
      guest.write(slot, register, 1, 0xFF);
    }
    assertEquals(List.of("map 0: 140000000", "map 2: c0000000"), device.takeEvents());

    guest.bridge.reset();

    assertEquals(List.of("unmap 0: 140000000", "unmap 2: c0000000"), device.takeEvents());
    assertArrayEquals(before, configOf(slot));
    guest.bridge.assignResources();
    assertEquals(List.of("map 0: 140000000", "map 2: c0000000"), device.takeEvents());
    device.close();
  }

  private byte[] configOf(int slot) {
    byte[] bytes = new byte[256];
    for (int register = 0; register < 256; register++) {
      bytes[register] = (byte) guest.read(slot, register, 1);
    }
    return bytes;
  }

  /** A guest that writes anything anywhere changes no read-only bit and breaks nothing. */
  @Test
  void randomAccessesNeverThrowAndNeverChangeReadOnlyBits() {
    Random random = new Random(7);
    FakeMsiRouter router = new FakeMsiRouter();
    PciTestDevice device =
        new PciTestDevice()
            .bar(0, BarKind.MEMORY64, 0x4000)
            .bar(2, BarKind.IO, 0x40)
            .bar(4, BarKind.MEMORY32, 0x2000)
            .pin();
    Msix msix = device.msix(3, 5, router);
    int slot = guest.bridge.attach(device);
    guest.bridge.assignResources();
    byte[] before = configOf(slot);
    int[] sizes = {1, 2, 4, 8};
    for (int i = 0; i < 200_000; i++) {
      int size = sizes[random.nextInt(4)];
      // Mostly values that hit: all ones, all zeros, and addresses inside the windows.
      long value =
          switch (random.nextInt(4)) {
            case 0 -> 0;
            case 1 -> -1;
            case 2 -> PlatformLayout.PCI_MEMORY32.base() + (random.nextInt(64) << 12);
            default -> random.nextLong();
          };
      int register = random.nextInt(random.nextBoolean() ? 0x60 : 0x1008);
      switch (random.nextInt(6)) {
        case 0 -> guest.write(slot, register, size, value);
        case 1 -> guest.conf1Write(slot, register & 0xFF, size, value);
        case 2 -> guest.ports.write(0xCF0 + random.nextInt(24), size, value);
        case 3 -> guest.read(slot, register, size);
        case 4 -> guest.memory.write(random.nextLong(1L << 36), size, value);
        default -> guest.memory.read(0xC000_0000L + random.nextInt(1 << 24), size);
      }
      if (i % 1000 == 0) {
        device.interrupt(random.nextBoolean());
      }
    }
    byte[] after = configOf(slot);
    int control = guestMsix(slot) + 3;
    for (int register = 0; register < 256; register++) {
      int writable =
          switch (register) {
            case 4 -> 0x47;
            case 5 -> 0x05;
            case 6 -> 0x08; // the interrupt's level
            case 0x0C, 0x0D, 0x3C -> 0xFF;
            case 0x11, 0x21 -> register == 0x11 ? 0xC0 : 0xE0;
            case 0x12, 0x13, 0x14, 0x15, 0x16, 0x17 -> 0xFF;
            case 0x18 -> 0xC0;
            case 0x19, 0x1A, 0x1B -> 0xFF;
            case 0x1D -> 0xE0; // the table of MSI-X: 8 KiB
            case 0x1E, 0x1F, 0x22, 0x23 -> 0xFF;
            default -> register == control ? 0xC0 : 0;
          };
      assertEquals(
          0, (before[register] ^ after[register]) & ~writable & 0xFF, "register " + register);
    }
    assertEquals(5, msix.count());
    device.close();
    assertTrue(router.vectors().stream().allMatch(FakeMsiRouter.Vector::isClosed));
  }

  private int guestMsix(int slot) {
    return (int) guest.read(slot, 0x34, 1);
  }

  /** Accesses that no bus would make, straight to the devices. */
  @Test
  void devicesBearAnyOffset() {
    Random random = new Random(11);
    BusDevice[] devices = {
      new PciEcam(guest.bridge), new PciConfigPorts(guest.bridge, new PciEcam(guest.bridge))
    };
    int[] sizes = {1, 2, 4, 8};
    for (int i = 0; i < 100_000; i++) {
      long offset = random.nextLong() >> random.nextInt(64);
      int size = sizes[random.nextInt(4)];
      devices[i & 1].write(offset, size, random.nextLong());
      devices[i & 1].read(offset, size);
    }
    assertEquals(-1, new PciEcam(guest.bridge).read(1L << 28, 8));
    assertEquals(-1, new PciEcam(guest.bridge).read(-1, 8));
  }
}
