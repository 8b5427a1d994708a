// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver;

import static dev.spindle.block.graph.BlockRequest.Operation.FLUSH;
import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE;
import static dev.spindle.block.graph.BlockRequest.Operation.WRITE_ZEROES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/** Random requests, aligned or not, against a byte array that does the same. */
public final class RandomRequests {
  private RandomRequests() {}

  /** Runs them on a disk of {@code size} bytes that reads as zeroes; returns what is there then. */
  public static byte[] run(Disk disk, int size) {
    Random random = new Random(42);
    byte[] model = new byte[size];
    try (Arena arena = Arena.ofShared()) {
      for (int i = 0; i < 2000; i++) {
        int unit = random.nextInt(4) == 0 ? 1 : 512;
        int length = (1 + random.nextInt(64)) * unit;
        int offset = random.nextInt((size - length) / unit + 1) * unit;
        int misalign = random.nextInt(4) == 0 ? 1 + random.nextInt(511) : 0;
        MemorySegment buffer = arena.allocate(length + 512L, 4096).asSlice(misalign, length);
        switch (random.nextInt(5)) {
          case 0, 1 -> {
            byte[] data = new byte[length];
            random.nextBytes(data);
            MemorySegment.copy(data, 0, buffer, ValueLayout.JAVA_BYTE, 0, length);
            TestRequest write = TestRequest.transfer(WRITE, offset, split(buffer, random));
            write.forceUnitAccess = random.nextInt(8) == 0;
            assertEquals(0, disk.run(write));
            System.arraycopy(data, 0, model, offset, length);
          }
          case 2 -> {
            TestRequest zeroes = TestRequest.range(WRITE_ZEROES, offset, length);
            zeroes.mayUnmap = random.nextBoolean();
            zeroes.forceUnitAccess = random.nextInt(8) == 0;
            assertEquals(0, disk.run(zeroes));
            Arrays.fill(model, offset, offset + length, (byte) 0);
          }
          case 3 -> {
            assertEquals(0, disk.run(TestRequest.range(FLUSH, 0, 0)));
          }
          default -> {
            assertEquals(0, disk.run(TestRequest.transfer(READ, offset, split(buffer, random))));
            assertArrayEquals(
                Arrays.copyOfRange(model, offset, offset + length),
                buffer.toArray(ValueLayout.JAVA_BYTE));
          }
        }
      }
    }
    return model;
  }

  private static MemorySegment[] split(MemorySegment buffer, Random random) {
    if (buffer.byteSize() < 1024 || random.nextBoolean()) {
      return new MemorySegment[] {buffer};
    }
    return new MemorySegment[] {buffer.asSlice(0, 512), buffer.asSlice(512)};
  }
}
