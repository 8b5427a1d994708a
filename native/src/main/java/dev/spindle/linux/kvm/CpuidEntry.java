// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.kvm.VcpuLayouts.Cpuid2;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * One answer of the CPUID instruction ({@code struct kvm_cpuid_entry2}).
 *
 * @param function the leaf: EAX before the instruction
 * @param index the subleaf: ECX before the instruction, where {@link #indexed} says that it counts
 * @param flags KVM_CPUID_FLAG bits
 * @param eax EAX after it
 * @param ebx EBX after it
 * @param ecx ECX after it
 * @param edx EDX after it
 */
public record CpuidEntry(int function, int index, int flags, int eax, int ebx, int ecx, int edx) {
  /** Whether the answer holds for this subleaf only. */
  public boolean indexed() {
    return (flags & KvmConstants.CPUID_FLAG_SIGNIFCANT_INDEX) != 0;
  }

  /** The same leaf with other registers. */
  public CpuidEntry with(int newEax, int newEbx, int newEcx, int newEdx) {
    return new CpuidEntry(function, index, flags, newEax, newEbx, newEcx, newEdx);
  }

  /** A {@code struct kvm_cpuid2} with room for this many entries. */
  static MemorySegment emptyTable(Arena arena, int capacity) {
    MemorySegment table =
        arena.allocate(Cpuid2.SIZE + (long) capacity * VcpuLayouts.CpuidEntry.SIZE, 8);
    table.set(ValueLayout.JAVA_INT, Cpuid2.NENT, capacity);
    return table;
  }

  static MemorySegment table(Arena arena, List<CpuidEntry> entries) {
    MemorySegment table = emptyTable(arena, entries.size());
    long at = Cpuid2.ENTRIES;
    for (CpuidEntry entry : entries) {
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.FUNCTION, entry.function);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.INDEX, entry.index);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.FLAGS, entry.flags);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EAX, entry.eax);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EBX, entry.ebx);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.ECX, entry.ecx);
      table.set(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EDX, entry.edx);
      at += VcpuLayouts.CpuidEntry.SIZE;
    }
    return table;
  }

  static List<CpuidEntry> read(MemorySegment table) {
    int count = table.get(ValueLayout.JAVA_INT, Cpuid2.NENT);
    List<CpuidEntry> entries = new ArrayList<>(count);
    long at = Cpuid2.ENTRIES;
    for (int i = 0; i < count; i++) {
      entries.add(
          new CpuidEntry(
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.FUNCTION),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.INDEX),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.FLAGS),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EAX),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EBX),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.ECX),
              table.get(ValueLayout.JAVA_INT, at + VcpuLayouts.CpuidEntry.EDX)));
      at += VcpuLayouts.CpuidEntry.SIZE;
    }
    return List.copyOf(entries);
  }
}
