// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/**
 * A vCPU's x87 and SSE registers ({@code struct kvm_fpu}). KVM ignores the MXCSR in it; that is
 * part of {@link Xsave}.
 */
public final class Fpu extends VcpuState {
  /** Makes a buffer of zeroes. */
  public Fpu() {
    super("FPU", KvmIoctl.GET_FPU, KvmIoctl.SET_FPU, VcpuLayouts.Fpu.SIZE);
  }

  /** The x87 control word. */
  public int controlWord() {
    return Short.toUnsignedInt(memory.get(ValueLayout.JAVA_SHORT, VcpuLayouts.Fpu.FCW));
  }

  /** Sets the x87 control word in this buffer; 0x37f after FNINIT. */
  public Fpu setControlWord(int value) {
    memory.set(ValueLayout.JAVA_SHORT, VcpuLayouts.Fpu.FCW, (short) value);
    return this;
  }
}
