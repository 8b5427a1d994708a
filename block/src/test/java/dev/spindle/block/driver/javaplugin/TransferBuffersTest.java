// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TransferBuffersTest {
  private final TransferBuffers buffers = new TransferBuffers();

  private static long alive(List<MemorySegment> memory) {
    return memory.stream().filter(segment -> segment.scope().isAlive()).count();
  }

  @Test
  void aFewMegabytesAreKeptUntilTheNodeIsClosed() {
    List<TransferBuffers.Buffer> taken =
        Stream.generate(() -> buffers.take(1 << 20)).limit(20).toList();
    List<MemorySegment> memory = taken.stream().map(buffer -> buffer.first(1 << 20)).toList();
    taken.forEach(TransferBuffers.Buffer::close);
    assertEquals(8, alive(memory));
    TransferBuffers.Buffer again = buffers.take(1 << 20);
    assertSame(taken.getFirst(), again);
    again.close();
    assertEquals(8, alive(memory));
    buffers.close();
    assertEquals(0, alive(memory));
  }

  @Test
  void whatIsLargerIsFreedAtOnce() {
    TransferBuffers.Buffer large = buffers.take(5 << 20);
    MemorySegment memory = large.first(5 << 20);
    large.close();
    assertEquals(0, alive(List.of(memory)));
  }
}
