// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CName;
import dev.spindle.linux.internal.CStruct;

/** The structures of KVM's ioctls on a vCPU: sizes and offsets. */
final class VcpuLayouts {
  private static final String HEADER = "linux/kvm.h";

  private VcpuLayouts() {}

  /** The head of a CPUID table. */
  @CStruct(value = "struct kvm_cpuid2", headers = HEADER)
  static final class Cpuid2 {
    static final int SIZE = 8;
    static final int NENT = 0;
    static final int ENTRIES = 8;

    private Cpuid2() {}
  }

  /** One leaf of a CPUID table. */
  @CStruct(value = "struct kvm_cpuid_entry2", headers = HEADER)
  static final class CpuidEntry {
    static final int SIZE = 40;
    static final int FUNCTION = 0;
    static final int INDEX = 4;
    static final int FLAGS = 8;
    static final int EAX = 12;
    static final int EBX = 16;
    static final int ECX = 20;
    static final int EDX = 24;

    private CpuidEntry() {}
  }

  /** The general registers. */
  @CStruct(value = "struct kvm_regs", headers = HEADER)
  static final class Regs {
    static final int SIZE = 144;
    static final int RAX = 0;
    static final int RBX = 8;
    static final int RCX = 16;
    static final int RDX = 24;
    static final int RSI = 32;
    static final int RDI = 40;
    static final int RSP = 48;
    static final int RBP = 56;
    static final int R8 = 64;
    static final int R9 = 72;
    static final int R10 = 80;
    static final int R11 = 88;
    static final int R12 = 96;
    static final int R13 = 104;
    static final int R14 = 112;
    static final int R15 = 120;
    static final int RIP = 128;
    static final int RFLAGS = 136;

    private Regs() {}
  }

  /** The system registers. */
  @CStruct(value = "struct kvm_sregs", headers = HEADER)
  static final class Sregs {
    static final int SIZE = 312;
    static final int CS = 0;
    static final int DS = 24;
    static final int ES = 48;
    static final int FS = 72;
    static final int GS = 96;
    static final int SS = 120;
    static final int TR = 144;
    static final int LDT = 168;
    static final int GDT = 192;
    static final int IDT = 208;
    static final int CR0 = 224;
    static final int CR2 = 232;
    static final int CR3 = 240;
    static final int CR4 = 248;
    static final int CR8 = 256;
    static final int EFER = 264;
    static final int APIC_BASE = 272;
    static final int INTERRUPT_BITMAP = 280;

    private Sregs() {}
  }

  /** A segment register. */
  @CStruct(value = "struct kvm_segment", headers = HEADER)
  static final class Segment {
    static final int SIZE = 24;
    static final int BASE = 0;
    static final int LIMIT = 8;
    static final int SELECTOR = 12;
    static final int TYPE = 14;
    static final int PRESENT = 15;
    static final int DPL = 16;
    static final int DB = 17;
    static final int S = 18;
    static final int L = 19;
    static final int G = 20;
    static final int AVL = 21;
    static final int UNUSABLE = 22;

    private Segment() {}
  }

  /** GDTR or IDTR. */
  @CStruct(value = "struct kvm_dtable", headers = HEADER)
  static final class DescriptorTable {
    static final int SIZE = 16;
    static final int BASE = 0;
    static final int LIMIT = 8;

    private DescriptorTable() {}
  }

  /** The x87 and SSE registers. */
  @CStruct(value = "struct kvm_fpu", headers = HEADER)
  static final class Fpu {
    static final int SIZE = 416;
    static final int FPR = 0;
    static final int FCW = 128;
    static final int FSW = 130;
    static final int FTWX = 132;
    static final int LAST_OPCODE = 134;
    static final int LAST_IP = 136;
    static final int LAST_DP = 144;
    static final int XMM = 152;
    static final int MXCSR = 408;

    private Fpu() {}
  }

  /** The local APIC's register page. */
  @CStruct(value = "struct kvm_lapic_state", headers = HEADER)
  static final class Lapic {
    static final int SIZE = 1024;
    static final int REGS = 0;

    private Lapic() {}
  }

  /** The head of an array of MSRs. */
  @CStruct(value = "struct kvm_msrs", headers = HEADER)
  static final class Msrs {
    static final int SIZE = 8;
    static final int NMSRS = 0;
    static final int ENTRIES = 8;

    private Msrs() {}
  }

  /** One MSR. */
  @CStruct(value = "struct kvm_msr_entry", headers = HEADER)
  static final class MsrEntry {
    static final int SIZE = 16;
    static final int INDEX = 0;
    static final int DATA = 8;

    private MsrEntry() {}
  }

  /** Whether a vCPU runs, halts or waits. */
  @CStruct(value = "struct kvm_mp_state", headers = HEADER)
  static final class MpState {
    static final int SIZE = 4;
    static final int MP_STATE = 0;

    private MpState() {}
  }

  /** The signals blocked inside KVM_RUN. */
  @CStruct(value = "struct kvm_signal_mask", headers = HEADER)
  static final class SignalMask {
    static final int SIZE = 4;
    static final int LEN = 0;
    static final int SIGSET = 4;

    private SignalMask() {}
  }

  /** Pending exceptions, interrupts and NMIs. */
  @CStruct(value = "struct kvm_vcpu_events", headers = HEADER)
  static final class VcpuEvents {
    static final int SIZE = 64;

    @CName("exception.injected")
    static final int EXCEPTION_INJECTED = 0;

    @CName("exception.nr")
    static final int EXCEPTION_NR = 1;

    @CName("exception.has_error_code")
    static final int EXCEPTION_HAS_ERROR_CODE = 2;

    @CName("exception.pending")
    static final int EXCEPTION_PENDING = 3;

    @CName("exception.error_code")
    static final int EXCEPTION_ERROR_CODE = 4;

    @CName("interrupt.injected")
    static final int INTERRUPT_INJECTED = 8;

    @CName("interrupt.nr")
    static final int INTERRUPT_NR = 9;

    @CName("nmi.injected")
    static final int NMI_INJECTED = 12;

    @CName("nmi.pending")
    static final int NMI_PENDING = 13;

    @CName("nmi.masked")
    static final int NMI_MASKED = 14;

    static final int SIPI_VECTOR = 16;
    static final int FLAGS = 20;

    private VcpuEvents() {}
  }

  /** The extended processor state. */
  @CStruct(value = "struct kvm_xsave", headers = HEADER)
  static final class Xsave {
    static final int SIZE = 4096;
    static final int REGION = 0;

    private Xsave() {}
  }

  /** The extended control registers. */
  @CStruct(value = "struct kvm_xcrs", headers = HEADER)
  static final class Xcrs {
    static final int SIZE = 392;
    static final int NR_XCRS = 0;
    static final int FLAGS = 4;
    static final int XCRS = 8;

    private Xcrs() {}
  }

  /** One extended control register. */
  @CStruct(value = "struct kvm_xcr", headers = HEADER)
  static final class Xcr {
    static final int SIZE = 16;
    static final int XCR = 0;
    static final int VALUE = 8;

    private Xcr() {}
  }

  /** The debug registers. */
  @CStruct(value = "struct kvm_debugregs", headers = HEADER)
  static final class DebugRegs {
    static final int SIZE = 128;
    static final int DB = 0;
    static final int DR6 = 32;
    static final int DR7 = 40;
    static final int FLAGS = 48;

    private DebugRegs() {}
  }
}
