// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.bus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class BusTest {
  /** Bytes of memory, which insists on what a bus promises its devices. */
  private static final class Ram implements BusDevice {
    final byte[] bytes;

    Ram(int length) {
      bytes = new byte[length];
    }

    @Override
    public long read(long offset, int size) {
      check(offset, size);
      long value = -1L << 1 << (8 * size - 1); // rubbish above the value
      for (int i = 0; i < size; i++) {
        value |= (bytes[(int) offset + i] & 0xFFL) << (8 * i);
      }
      return value;
    }

    @Override
    public void write(long offset, int size, long value) {
      check(offset, size);
      for (int i = 0; i < size; i++) {
        bytes[(int) offset + i] = (byte) (value >>> (8 * i));
      }
    }

    private void check(long offset, int size) {
      assertTrue(size == 1 || size == 2 || size == 4 || size == 8, "size " + size);
      assertTrue(offset >= 0 && offset + size <= bytes.length, "offset " + offset);
    }
  }

  private final Bus bus = new Bus("memory");

  @Test
  void anAccessReachesTheDeviceThatClaimsTheAddress() {
    Ram low = new Ram(0x10);
    Ram high = new Ram(0x10);
    bus.add(new AddressRange(0x3000, 0x10), high);
    bus.add(new AddressRange(0x1000, 0x10), low);

    bus.write(0x1008, 4, 0x11223344);
    bus.write(0x3000, 8, -2);

    assertEquals(0x11223344, bus.read(0x1008, 4));
    assertEquals(0x44, low.bytes[8]);
    assertEquals(-2, bus.read(0x3000, 8));
    assertEquals(0xFFFE, bus.read(0x3000, 2));
  }

  @Test
  void whatNobodyClaimsReadsAsAllOnes() {
    bus.add(new AddressRange(0x1000, 0x10), new Ram(0x10));

    assertEquals(0xFF, bus.read(0xFFF, 1));
    assertEquals(0xFFFF, bus.read(0x1010, 2));
    assertEquals(0xFFFF_FFFFL, bus.read(0, 4));
    assertEquals(-1, bus.read(Long.MAX_VALUE - 3, 8));
    assertEquals(-1, bus.read(-1, 8));
    bus.write(0x1010, 8, 0);
  }

  @Test
  void anAccessAcrossTheEndOfADeviceIsCutThere() {
    Ram first = new Ram(6);
    Ram second = new Ram(2);
    bus.add(new AddressRange(0x1000, 6), first);
    bus.add(new AddressRange(0x1006, 2), second);

    bus.write(0x1000, 8, 0x0807_0605_0403_0201L);
    assertEquals(0x0807_0605_0403_0201L, bus.read(0x1000, 8));
    assertEquals(8, second.bytes[1]);
    assertEquals(0xFFFF_FFFF_FFFF_0807L, bus.read(0x1006, 8));
    assertEquals(0x0403_0201_FFFF_FFFFL, bus.read(0xFFC, 8));
  }

  @Test
  void overlappingRangesAreRefused() {
    bus.add(new AddressRange(0x1000, 0x100), new Ram(0x100));

    for (AddressRange range :
        List.of(
            AddressRange.of(0x1000, 0x10FF),
            AddressRange.of(0x10FF, 0x1100),
            AddressRange.of(0xFFF, 0x1000),
            AddressRange.of(0x1010, 0x1010),
            AddressRange.of(0, 0xFFFF))) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> bus.add(range, new Ram(1)));
      assertEquals(
          "memory range " + range + " overlaps 0x1000-0x10ff, which is taken",
          refused.getMessage());
      assertFalse(bus.tryAdd(range, new Ram(1)));
    }
    assertTrue(bus.tryAdd(AddressRange.of(0x1100, 0x1100), new Ram(1)));
    assertTrue(bus.tryAdd(AddressRange.of(0xFFF, 0xFFF), new Ram(1)));
  }

  @Test
  void onlyAnExactRangeIsRemoved() {
    AddressRange range = new AddressRange(0x1000, 0x100);
    bus.add(range, new Ram(0x100));

    assertThrows(IllegalArgumentException.class, () -> bus.remove(new AddressRange(0x1000, 0x80)));
    assertThrows(IllegalArgumentException.class, () -> bus.remove(new AddressRange(0x2000, 0x80)));
    bus.remove(range);
    assertEquals(0xFF, bus.read(0x1000, 1));
    bus.add(range, new Ram(0x100));
    assertEquals(0, bus.read(0x1000, 1));
  }

  @Test
  void rangesThatWrapAroundDoNotExist() {
    assertThrows(IllegalArgumentException.class, () -> new AddressRange(-1, 1));
    assertThrows(IllegalArgumentException.class, () -> new AddressRange(0, 0));
    assertThrows(IllegalArgumentException.class, () -> new AddressRange(2, Long.MAX_VALUE));
    assertEquals(Long.MAX_VALUE, new AddressRange(1, Long.MAX_VALUE).last());
  }

  /** Every access of every size, compared byte by byte with a flat picture of the bus. */
  @Test
  void randomDevicesAndAccessesMatchAFlatModel() {
    Random random = new Random(20240611);
    int space = 256;
    for (int round = 0; round < 300; round++) {
      Bus tested = new Bus("port");
      Integer[] model = new Integer[space + 8]; // null: nobody's
      List<AddressRange> ranges = new ArrayList<>();
      for (int step = 0; step < 200; step++) {
        int address = random.nextInt(space);
        int size = 1 + random.nextInt(8);
        switch (random.nextInt(6)) {
          case 0 -> {
            AddressRange range = new AddressRange(address, size);
            if (range.last() < space && tested.tryAdd(range, new Ram(size))) {
              ranges.add(range);
              for (int i = 0; i < size; i++) {
                assertNull(model[address + i]);
                model[address + i] = 0;
              }
            }
          }
          case 1 -> {
            if (!ranges.isEmpty()) {
              AddressRange range = ranges.remove(random.nextInt(ranges.size()));
              tested.remove(range);
              for (long i = range.base(); i <= range.last(); i++) {
                model[(int) i] = null;
              }
            }
          }
          case 2, 3 -> {
            long value = random.nextLong();
            tested.write(address, size, value);
            for (int i = 0; i < size; i++) {
              if (model[address + i] != null) {
                model[address + i] = (int) (value >>> (8 * i)) & 0xFF;
              }
            }
          }
          default -> {
            long expected = 0;
            for (int i = 0; i < size; i++) {
              long b = model[address + i] == null ? 0xFF : model[address + i];
              expected |= b << (8 * i);
            }
            assertEquals(expected, tested.read(address, size));
          }
        }
      }
    }
  }

  @Test
  void devicesComeAndGoWhileOthersAreRead() throws InterruptedException {
    Ram stays = new Ram(8);
    bus.add(new AddressRange(0x2000, 8), stays);
    bus.write(0x2000, 8, 0x1234_5678_9ABC_DEF0L);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    List<Thread> readers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      Thread reader =
          new Thread(
              () -> {
                for (int n = 0; n < 200_000; n++) {
                  assertEquals(0x1234_5678_9ABC_DEF0L, bus.read(0x2000, 8));
                  long other = bus.read(0x1000, 1);
                  assertTrue(other == 0 || other == 0xFF);
                }
              });
      reader.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
      reader.start();
      readers.add(reader);
    }
    AddressRange below = new AddressRange(0x1000, 0x10);
    AddressRange above = new AddressRange(0x3000, 0x10);
    for (int n = 0; n < 2_000; n++) {
      bus.add(below, new Ram(0x10));
      bus.add(above, new Ram(0x10));
      bus.remove(below);
      bus.remove(above);
    }
    for (Thread reader : readers) {
      reader.join();
    }
    assertNull(failure.get());
  }
}
