// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.machine;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.DescriptorTable;
import dev.spindle.linux.kvm.MsrEntry;
import dev.spindle.linux.kvm.Regs;
import dev.spindle.linux.kvm.Regs.Register;
import dev.spindle.linux.kvm.SegmentDescriptor;
import dev.spindle.linux.kvm.Sregs;
import dev.spindle.linux.kvm.Sregs.ControlRegister;
import dev.spindle.linux.kvm.Sregs.SegmentRegister;
import dev.spindle.linux.kvm.Vcpu;
import dev.spindle.vmm.boot.BootDescriptors;
import dev.spindle.vmm.boot.EntryState;
import java.util.List;

/** Gives a new vCPU the registers its kernel's boot protocol asks for. */
final class VcpuSetup {
  private static final int MSR_MISC_ENABLE = 0x1A0;
  private static final long MISC_FAST_STRINGS = 1;
  private static final int MSR_MTRR_DEFAULT_TYPE = 0x2FF;
  private static final long MTRR_ENABLED_WRITE_BACK = 1 << 11 | 6;

  private static final long CR0_PROTECTED = 1;
  private static final long CR0_EXTENSION_TYPE = 1 << 4;
  private static final long CR0_NUMERIC_ERROR = 1 << 5;
  private static final long CR0_PAGING = 1L << 31;
  private static final long CR4_PAE = 1 << 5;
  private static final long EFER_LONG_MODE = 1 << 8 | 1 << 10;
  private static final long FLAGS_RESERVED_ONE = 2;
  private static final int TASK_STATE_LIMIT = 0x67;

  private VcpuSetup() {}

  /**
   * Sets what firmware would set on every vCPU: with the MTRRs off, Linux would not use the page
   * attribute table either, and treat PCI memory as cacheable.
   */
  static void firmwareDefaults(Vcpu vcpu) throws LinuxException {
    vcpu.setMsrs(
        List.of(
            new MsrEntry(MSR_MISC_ENABLE, MISC_FAST_STRINGS),
            new MsrEntry(MSR_MTRR_DEFAULT_TYPE, MTRR_ENABLED_WRITE_BACK)));
  }

  /** Prepares {@code vcpu}, the first one, to enter the kernel. */
  static void enterAt(Vcpu vcpu, EntryState entry) throws LinuxException {
    Sregs sregs = vcpu.sregs();
    Regs regs = new Regs();
    regs.set(Register.RFLAGS, FLAGS_RESERVED_ONE);
    regs.set(Register.RIP, entry.instructionPointer());
    switch (entry) {
      case EntryState.Long64 long64 -> {
        flatSegments(sregs, true, long64.descriptors());
        sregs.set(ControlRegister.CR3, long64.pageTable());
        sregs.set(ControlRegister.CR4, CR4_PAE);
        sregs.set(
            ControlRegister.CR0,
            CR0_PAGING | CR0_NUMERIC_ERROR | CR0_EXTENSION_TYPE | CR0_PROTECTED);
        sregs.set(ControlRegister.EFER, EFER_LONG_MODE);
        regs.set(Register.RSI, long64.bootParams());
        regs.set(Register.RSP, long64.stackPointer());
        regs.set(Register.RBP, long64.stackPointer());
      }
      case EntryState.Protected32 protected32 -> {
        flatSegments(sregs, false, protected32.descriptors());
        sregs.set(ControlRegister.CR4, 0);
        sregs.set(ControlRegister.CR0, CR0_EXTENSION_TYPE | CR0_PROTECTED);
        regs.set(Register.RBX, protected32.startInfo());
      }
    }
    vcpu.set(sregs);
    vcpu.set(regs);
  }

  private static void flatSegments(Sregs sregs, boolean code64, long descriptors) {
    int code = BootDescriptors.CODE_SELECTOR;
    SegmentDescriptor data = SegmentDescriptor.data(BootDescriptors.DATA_SELECTOR);
    sregs.setSegment(
        SegmentRegister.CS,
        code64 ? SegmentDescriptor.code64(code) : SegmentDescriptor.code32(code));
    sregs.setSegment(SegmentRegister.DS, data);
    sregs.setSegment(SegmentRegister.ES, data);
    sregs.setSegment(SegmentRegister.FS, data);
    sregs.setSegment(SegmentRegister.GS, data);
    sregs.setSegment(SegmentRegister.SS, data);
    sregs.setSegment(
        SegmentRegister.TR,
        SegmentDescriptor.taskState(BootDescriptors.TASK_SELECTOR, 0, TASK_STATE_LIMIT));
    sregs.setGdt(new DescriptorTable(descriptors, BootDescriptors.SIZE - 1));
    sregs.setIdt(new DescriptorTable(0, 0));
  }
}
