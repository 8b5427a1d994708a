// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.AioContext;
import java.lang.foreign.MemorySegment;

/**
 * A machine's memory, registered with the ring of each context that a disk may be served from.
 * Closing this comes before the memory is given back. For one thread at a time, which may wait.
 */
final class MemoryRegistrations implements AutoCloseable {
  private final MemorySegment memory;
  private final Closer registrations = new Closer();

  MemoryRegistrations(MemorySegment memory) {
    this.memory = memory;
  }

  /** Registers the memory with one more context. */
  void add(AioContext context) {
    registrations.add(context.registerMemory(memory));
  }

  @Override
  public void close() {
    registrations.close();
  }
}
