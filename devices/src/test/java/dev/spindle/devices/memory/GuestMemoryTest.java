// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.memory.GuestMemory.Pages;
import dev.spindle.devices.memory.GuestMemory.Region;
import dev.spindle.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuestMemoryTest {
  private static final long MIB = 1L << 20;
  private static final long GIB = 1L << 30;

  @Test
  void smallMemoryIsOneRegion() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(16 * MIB)) {
      assertEquals(List.of(new Region(0, 16 * MIB, 0)), memory.regions());
      assertEquals(16 * MIB, memory.size());
      assertEquals(16 * MIB, memory.segment().byteSize());
      assertEquals(0, memory.highSize());
    }
  }

  @Test
  void memoryOfExactlyThreeGibHasNothingAboveTheHole() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(3 * GIB)) {
      assertEquals(List.of(new Region(0, 3 * GIB, 0)), memory.regions());
      assertEquals(-1, memory.offsetOf(4 * GIB, 0x1000));
    }
  }

  @Test
  void whatDoesNotFitBelowTheHoleContinuesAtFourGib() throws IOException {
    // Costs nothing: no page of it is touched but a few.
    try (GuestMemory memory = GuestMemory.allocate(5 * GIB)) {
      assertEquals(
          List.of(new Region(0, 3 * GIB, 0), new Region(4 * GIB, 2 * GIB, 3 * GIB)),
          memory.regions());
      assertEquals(3 * GIB, memory.offsetOf(4 * GIB, 1));
      assertEquals(5 * GIB - 1, memory.offsetOf(6 * GIB - 1, 1));
      assertEquals(-1, memory.offsetOf(6 * GIB - 1, 2));
      memory.writeLong(4 * GIB + 8, 0x1122334455667788L);
      assertEquals(
          0x1122334455667788L, memory.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, 3 * GIB + 8));
    }
  }

  @Test
  void aRangeAcrossTheEndOfARegionIsRefused() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(4 * GIB)) {
      // In the file both regions are neighbours; in the guest's eyes they are not.
      assertEquals(3 * GIB - 8, memory.offsetOf(3 * GIB - 8, 8));
      assertEquals(-1, memory.offsetOf(3 * GIB - 8, 9));
      assertEquals(-1, memory.offsetOf(3 * GIB - 8, GIB + 16));
      assertEquals(-1, memory.offsetOf(3 * GIB, 1));
      assertEquals(-1, memory.offsetOf(4 * GIB - 1, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> memory.readLong(3 * GIB - 4));
      assertThrows(IndexOutOfBoundsException.class, () -> memory.writeInt(3 * GIB - 2, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> memory.slice(4 * GIB - 4096, 8192));
    }
  }

  @Test
  void noArithmeticOverflowLetsARangeThrough() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(4 * GIB)) {
      long[] edges = {
        0,
        1,
        4096,
        3 * GIB - 1,
        3 * GIB,
        4 * GIB - 1,
        4 * GIB,
        5 * GIB - 1,
        5 * GIB,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        -1,
        -4096,
        -GIB,
        -4 * GIB
      };
      for (long address : edges) {
        for (long length : edges) {
          boolean low = within(address, length, 0, 3 * GIB);
          boolean high = within(address, length, 4 * GIB, 5 * GIB);
          assertEquals(
              low || high,
              memory.contains(address, length),
              () -> Long.toHexString(address) + " + " + Long.toHexString(length));
        }
      }
    }
  }

  private static boolean within(long address, long length, long start, long end) {
    var first = java.math.BigInteger.valueOf(address);
    var size = java.math.BigInteger.valueOf(length);
    return address >= start
        && length >= 0
        && first.add(size).compareTo(java.math.BigInteger.valueOf(end)) <= 0;
  }

  @Test
  void wordsAreLittleEndianAtAnyAlignment() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(MIB)) {
      memory.write(101, new byte[] {1, 2, 3, 4, 5, 6, 7, (byte) 0x88});
      assertEquals(1, memory.readByte(101));
      assertEquals(0x88, memory.readByte(108));
      assertEquals(0x0201, memory.readShort(101));
      assertEquals(0x8807, memory.readShort(107));
      assertEquals(0x04030201, memory.readInt(101));
      assertEquals(0x8807060504030201L, memory.readLong(101));
      memory.writeShort(200, 0xfffe);
      memory.writeByte(203, 0x1ff);
      byte[] bytes = new byte[4];
      memory.read(200, bytes);
      assertArrayEquals(new byte[] {(byte) 0xfe, (byte) 0xff, 0, (byte) 0xff}, bytes);
    }
  }

  @Test
  void theFileIsTheMemory() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(MIB);
        Mapping other = Mapping.shared(memory.file(), 0, MIB)) {
      byte[] random = new byte[4096];
      new SplittableRandom(1).nextBytes(random);
      memory.write(0x5000, random);
      assertArrayEquals(
          random, other.segment().asSlice(0x5000, 4096).toArray(ValueLayout.JAVA_BYTE));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -4096, 1, 4095, 4097, 1_000_000, Long.MIN_VALUE, Long.MAX_VALUE})
  void impossibleSizesAreRefusedInASentence(long size) {
    IOException e = assertThrows(IOException.class, () -> GuestMemory.allocate(size));
    assertTrue(e.getMessage().contains(Long.toString(size)), e.getMessage());
    assertTrue(e.getMessage().contains("multiple of 4096"), e.getMessage());
  }

  @Test
  void moreThanTheHostCanMapIsRefusedInASentence() {
    long size = 1L << 62;
    IOException e = assertThrows(IOException.class, () -> GuestMemory.allocate(size));
    assertTrue(e.getMessage().contains(size + " bytes cannot be had"), e.getMessage());
  }

  @Test
  void hugePagesThatAreNotThereAreRefusedInASentence() {
    // 4 TiB of reserved pages: no machine that runs these tests has them.
    long size = 4096 * GIB;
    IOException e =
        assertThrows(IOException.class, () -> GuestMemory.allocate(size, Pages.HUGE_2M));
    assertTrue(e.getMessage().contains("nr_hugepages"), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  @Test
  void hugePagesNeedAMultipleOfTheirSize() {
    IOException e =
        assertThrows(IOException.class, () -> GuestMemory.allocate(3 * MIB, Pages.HUGE_2M));
    assertTrue(e.getMessage().contains("multiple of 2097152"), e.getMessage());
  }

  @Test
  void transparentHugePagesAreOnlyAWish() throws IOException {
    try (GuestMemory memory = GuestMemory.allocate(4 * MIB, Pages.TRANSPARENT_HUGE)) {
      memory.writeLong(2 * MIB, 7);
      assertEquals(7, memory.readLong(2 * MIB));
    }
  }

  @Test
  void nothingIsReachableAfterClose() throws IOException {
    GuestMemory memory = GuestMemory.allocate(MIB);
    memory.close();
    assertThrows(IllegalStateException.class, () -> memory.readByte(0));
  }
}
