// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.pci;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RegistersTest {
  private final Registers registers = new Registers(8);

  @Test
  void aWriteChangesWritableBitsOnly() {
    registers.set(0, 4, 0x1234_5678);
    registers.allowWrite(1, 2, 0x0FF0);
    registers.write(0, 4, 0xFFFF_FFFFL);
    assertEquals(0x123F_F678L, registers.read(0, 4));
    registers.write(0, 4, 0);
    assertEquals(0x1230_0678L, registers.read(0, 4));
  }

  @Test
  void onesClear() {
    registers.set(2, 2, 0xFFFF);
    registers.allowClear(2, 2, 0xF900);
    registers.write(2, 2, 0x8001);
    assertEquals(0x7FFF, registers.read(2, 2));
    registers.write(3, 1, 0x10);
    assertEquals(0x6FFF, registers.read(2, 2));
    registers.write(2, 2, 0);
    assertEquals(0x6FFF, registers.read(2, 2));
    registers.reset();
    assertEquals(0x06FF, registers.read(2, 2));
  }

  @Test
  void beyondTheEndThereAreOnes() {
    assertEquals(0xFFFF_FFFF_0000_0000L, registers.read(4, 8));
    assertEquals(-1, registers.read(8, 8));
    assertEquals(0xFF, registers.read(Long.MAX_VALUE, 1));
    registers.allowWrite(4, 4, -1);
    registers.write(6, 8, 0x1122_3344_5566_7788L);
    assertEquals(0x7788_0000L, registers.read(4, 4));
    registers.write(Long.MAX_VALUE - 2, 8, 0);
    registers.write(-4, 4, -1);
  }

  /** Bit by bit: what is neither writable nor clearable never changes. */
  @Test
  void randomWritesMatchTheRuleForEachBit() {
    Random random = new Random(31);
    for (int round = 0; round < 2_000; round++) {
      Registers tested = new Registers(8);
      final long writable = random.nextLong();
      final long clearable = random.nextLong() & ~writable;
      long expected = random.nextLong();
      tested.set(0, 8, expected);
      tested.allowWrite(0, 8, writable);
      tested.allowClear(0, 8, clearable);
      for (int i = 0; i < 20; i++) {
        int offset = random.nextInt(8);
        int size = 1 + random.nextInt(8 - offset);
        long value = random.nextLong();
        tested.write(offset, size, value);
        long touched = (-1L >>> (64 - 8 * size)) << (8 * offset);
        long written = value << (8 * offset);
        expected =
            (expected & ~(touched & writable) & ~(touched & clearable & written))
                | (touched & writable & written);
        assertEquals(expected, tested.read(0, 8));
      }
    }
  }
}
