// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/**
 * A vCPU's system registers ({@code struct kvm_sregs}). Read them from the vCPU, change what is
 * needed, and store them back.
 */
public final class Sregs extends VcpuState {
  /** A segment register. */
  public enum SegmentRegister {
    CS(VcpuLayouts.Sregs.CS),
    DS(VcpuLayouts.Sregs.DS),
    ES(VcpuLayouts.Sregs.ES),
    FS(VcpuLayouts.Sregs.FS),
    GS(VcpuLayouts.Sregs.GS),
    SS(VcpuLayouts.Sregs.SS),
    TR(VcpuLayouts.Sregs.TR),
    LDT(VcpuLayouts.Sregs.LDT);

    private final int offset;

    SegmentRegister(int offset) {
      this.offset = offset;
    }
  }

  /** A control register, or an MSR that KVM treats as one. */
  public enum ControlRegister {
    CR0(VcpuLayouts.Sregs.CR0),
    CR2(VcpuLayouts.Sregs.CR2),
    CR3(VcpuLayouts.Sregs.CR3),
    CR4(VcpuLayouts.Sregs.CR4),
    CR8(VcpuLayouts.Sregs.CR8),
    EFER(VcpuLayouts.Sregs.EFER),
    APIC_BASE(VcpuLayouts.Sregs.APIC_BASE);

    private final int offset;

    ControlRegister(int offset) {
      this.offset = offset;
    }
  }

  /** Makes a buffer of zeroes. */
  public Sregs() {
    super("SREGS", KvmIoctl.GET_SREGS, KvmIoctl.SET_SREGS, VcpuLayouts.Sregs.SIZE);
  }

  /** A control register's value. */
  public long get(ControlRegister register) {
    return memory.get(ValueLayout.JAVA_LONG, register.offset);
  }

  /** Sets a control register in this buffer. */
  public Sregs set(ControlRegister register, long value) {
    memory.set(ValueLayout.JAVA_LONG, register.offset, value);
    return this;
  }

  /** A segment register. */
  public SegmentDescriptor segment(SegmentRegister register) {
    return SegmentDescriptor.read(memory, register.offset);
  }

  /** Sets a segment register in this buffer. */
  public Sregs setSegment(SegmentRegister register, SegmentDescriptor segment) {
    segment.write(memory, register.offset);
    return this;
  }

  /** Where the global descriptor table is. */
  public DescriptorTable gdt() {
    return table(VcpuLayouts.Sregs.GDT);
  }

  /** Sets where the global descriptor table is. */
  public Sregs setGdt(DescriptorTable table) {
    return setTable(VcpuLayouts.Sregs.GDT, table);
  }

  /** Where the interrupt descriptor table is. */
  public DescriptorTable idt() {
    return table(VcpuLayouts.Sregs.IDT);
  }

  /** Sets where the interrupt descriptor table is. */
  public Sregs setIdt(DescriptorTable table) {
    return setTable(VcpuLayouts.Sregs.IDT, table);
  }

  private DescriptorTable table(long at) {
    return new DescriptorTable(
        memory.get(ValueLayout.JAVA_LONG, at + VcpuLayouts.DescriptorTable.BASE),
        Short.toUnsignedInt(
            memory.get(ValueLayout.JAVA_SHORT, at + VcpuLayouts.DescriptorTable.LIMIT)));
  }

  private Sregs setTable(long at, DescriptorTable table) {
    memory.set(ValueLayout.JAVA_LONG, at + VcpuLayouts.DescriptorTable.BASE, table.base());
    memory.set(
        ValueLayout.JAVA_SHORT, at + VcpuLayouts.DescriptorTable.LIMIT, (short) table.limit());
    return this;
  }
}
