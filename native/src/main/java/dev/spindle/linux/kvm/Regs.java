// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/** A vCPU's general registers ({@code struct kvm_regs}); all zero when made. */
public final class Regs extends VcpuState {
  /** A general register. */
  public enum Register {
    RAX(VcpuLayouts.Regs.RAX),
    RBX(VcpuLayouts.Regs.RBX),
    RCX(VcpuLayouts.Regs.RCX),
    RDX(VcpuLayouts.Regs.RDX),
    RSI(VcpuLayouts.Regs.RSI),
    RDI(VcpuLayouts.Regs.RDI),
    RSP(VcpuLayouts.Regs.RSP),
    RBP(VcpuLayouts.Regs.RBP),
    R8(VcpuLayouts.Regs.R8),
    R9(VcpuLayouts.Regs.R9),
    R10(VcpuLayouts.Regs.R10),
    R11(VcpuLayouts.Regs.R11),
    R12(VcpuLayouts.Regs.R12),
    R13(VcpuLayouts.Regs.R13),
    R14(VcpuLayouts.Regs.R14),
    R15(VcpuLayouts.Regs.R15),
    RIP(VcpuLayouts.Regs.RIP),
    /** Bit 1 must always be set. */
    RFLAGS(VcpuLayouts.Regs.RFLAGS);

    private final int offset;

    Register(int offset) {
      this.offset = offset;
    }
  }

  /** Makes a buffer of zeroes. */
  public Regs() {
    super("REGS", KvmIoctl.GET_REGS, KvmIoctl.SET_REGS, VcpuLayouts.Regs.SIZE);
  }

  /** A register's value. */
  public long get(Register register) {
    return memory.get(ValueLayout.JAVA_LONG, register.offset);
  }

  /** Sets a register in this buffer. */
  public Regs set(Register register, long value) {
    memory.set(ValueLayout.JAVA_LONG, register.offset, value);
    return this;
  }
}
