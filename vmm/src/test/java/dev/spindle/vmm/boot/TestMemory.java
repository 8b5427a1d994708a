// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** RAM from address 0, which costs nothing until touched. */
record TestMemory(MemorySegment segment) implements BootMemory {
  static TestMemory of(Arena arena, long size) {
    return new TestMemory(arena.allocate(size, 4096));
  }

  @Override
  public List<Ram> ram() {
    return List.of(new Ram(0, segment.byteSize()));
  }

  @Override
  public MemorySegment slice(long base, long length) {
    return segment.asSlice(base, length);
  }
}
