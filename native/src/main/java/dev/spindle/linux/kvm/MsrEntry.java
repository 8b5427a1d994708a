// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.kvm.VcpuLayouts.Msrs;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * A model-specific register and its value.
 *
 * @param index its number, as RDMSR takes it
 */
public record MsrEntry(int index, long value) {
  /** A {@code struct kvm_msrs} of these. */
  static MemorySegment table(Arena arena, List<MsrEntry> entries) {
    MemorySegment table =
        arena.allocate(Msrs.SIZE + (long) entries.size() * VcpuLayouts.MsrEntry.SIZE, 8);
    table.set(ValueLayout.JAVA_INT, Msrs.NMSRS, entries.size());
    long at = Msrs.ENTRIES;
    for (MsrEntry entry : entries) {
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.MsrEntry.INDEX, entry.index);
      table.set(ValueLayout.JAVA_LONG, at + VcpuLayouts.MsrEntry.DATA, entry.value);
      at += VcpuLayouts.MsrEntry.SIZE;
    }
    return table;
  }

  static long[] values(MemorySegment table, int count) {
    long[] values = new long[count];
    for (int i = 0; i < count; i++) {
      long at = Msrs.ENTRIES + (long) i * VcpuLayouts.MsrEntry.SIZE;
      values[i] = table.get(ValueLayout.JAVA_LONG, at + VcpuLayouts.MsrEntry.DATA);
    }
    return values;
  }
}
