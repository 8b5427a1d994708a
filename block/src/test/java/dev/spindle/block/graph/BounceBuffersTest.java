// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BounceBuffersTest {
  private final BounceBuffers buffers = new BounceBuffers();

  @Test
  void oneIsUsedAgainForAnythingItHasRoomFor() {
    BounceBuffers.Buffer first = buffers.take(5000);
    assertEquals(5000, first.memory().byteSize());
    first.close();
    BounceBuffers.Buffer again = buffers.take(8192);
    assertSame(first, again);
    assertEquals(8192, again.memory().byteSize());
    assertEquals(1, again.vector().count());
    again.close();
  }

  @Test
  void aFewMegabytesAreKeptAndTheRestIsFreedAtOnce() {
    List<BounceBuffers.Buffer> taken =
        Stream.generate(() -> buffers.take(1 << 20)).limit(20).toList();
    List<MemorySegment> memory = taken.stream().map(BounceBuffers.Buffer::memory).toList();
    taken.forEach(BounceBuffers.Buffer::close);
    assertEquals(8, memory.stream().filter(segment -> segment.scope().isAlive()).count());
    BounceBuffers.Buffer large = buffers.take(3 << 20);
    MemorySegment largeMemory = large.memory();
    assertEquals(3 << 20, largeMemory.byteSize());
    large.close();
    assertEquals(false, largeMemory.scope().isAlive());
  }
}
