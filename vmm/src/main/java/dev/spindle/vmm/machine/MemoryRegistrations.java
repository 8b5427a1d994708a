// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.MemoryRegistration;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A machine's memory, registered with the ring of each context that a disk may be served from.
 * Closing this comes before the memory is given back. For one thread at a time, which may wait.
 */
final class MemoryRegistrations implements AutoCloseable {
  private final MemorySegment memory;
  private final Map<AioContext, MemoryRegistration> registrations = new LinkedHashMap<>();

  MemoryRegistrations(MemorySegment memory) {
    this.memory = memory;
  }

  /** Registers the memory with one more context. */
  void add(AioContext context) {
    registrations.put(context, context.registerMemory(memory));
  }

  /** Ends the registration with a context that is to end. */
  void remove(AioContext context) {
    MemoryRegistration registration = registrations.remove(context);
    if (registration != null) {
      registration.close();
    }
  }

  @Override
  public void close() {
    registrations.values().forEach(MemoryRegistration::close);
    registrations.clear();
  }
}
