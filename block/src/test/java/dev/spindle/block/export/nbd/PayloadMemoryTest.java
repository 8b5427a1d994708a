// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PayloadMemoryTest {
  private record Block(long offset, long bytes, byte content) {
    void fill(MemorySegment memory) {
      memory.asSlice(offset, bytes).fill(content);
    }

    void check(MemorySegment memory) {
      for (long at = offset; at < offset + bytes; at += 512) {
        assertEquals(content, memory.get(ValueLayout.JAVA_BYTE, at));
      }
    }
  }

  /** What is taken stays as it is; of all else the kernel has taken back the pages, now zeroes. */
  @Test
  void whatIsReleasedIsGoneAndNothingElse() throws Exception {
    Random random = new Random(11);
    try (PayloadMemory payloads = new PayloadMemory()) {
      MemorySegment memory = payloads.segment();
      List<Block> taken = new ArrayList<>();
      for (int round = 0; round < 10; round++) {
        for (long at = 0; at < 200; at++) {
          long bytes = 1L << random.nextInt(22);
          long offset = payloads.take(bytes);
          if (offset >= 0) {
            Block block = new Block(offset, bytes, (byte) random.nextInt(1, 128));
            block.fill(memory);
            taken.add(block);
          }
        }
        while (taken.size() > random.nextInt(20)) {
          Block block = taken.remove(random.nextInt(taken.size()));
          payloads.giveBack(block.offset(), block.bytes());
        }
        while (payloads.release()) {
          // Until nothing is left.
        }
        taken.forEach(block -> block.check(memory));
        assertZeroOutside(memory, taken);
      }
      taken.forEach(block -> payloads.giveBack(block.offset(), block.bytes()));
      while (payloads.release()) {
        // As before.
      }
      assertEquals(0, payloads.take(PayloadMemory.LONGEST));
    }
  }

  private static void assertZeroOutside(MemorySegment memory, List<Block> taken) {
    boolean[] used = new boolean[(int) (PayloadMemory.LONGEST >> PayloadMemory.PAGE_SHIFT)];
    for (Block block : taken) {
      long pages = Long.highestOneBit(2 * ((block.bytes() + 4095) >> 12) - 1);
      int first = (int) (block.offset() >> PayloadMemory.PAGE_SHIFT);
      for (int page = first; page < first + pages; page++) {
        used[page] = true;
      }
    }
    for (int page = 0; page < used.length; page++) {
      long at = (long) page << PayloadMemory.PAGE_SHIFT;
      assertTrue(used[page] || memory.get(ValueLayout.JAVA_BYTE, at) == 0, "page " + page);
    }
  }
}
