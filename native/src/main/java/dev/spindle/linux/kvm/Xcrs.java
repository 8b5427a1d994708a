// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/** A vCPU's extended control registers ({@code struct kvm_xcrs}). */
public final class Xcrs extends VcpuState {
  /** Makes a buffer of zeroes. */
  public Xcrs() {
    super("XCRS", KvmIoctl.GET_XCRS, KvmIoctl.SET_XCRS, VcpuLayouts.Xcrs.SIZE);
  }

  /** XCR0, which enables extended states; 1 if the vCPU has none of its own. */
  public long xcr0() {
    int count = memory.get(ValueLayout.JAVA_INT, VcpuLayouts.Xcrs.NR_XCRS);
    for (int i = 0; i < count; i++) {
      long at = VcpuLayouts.Xcrs.XCRS + (long) i * VcpuLayouts.Xcr.SIZE;
      if (memory.get(ValueLayout.JAVA_INT, at + VcpuLayouts.Xcr.XCR) == 0) {
        return memory.get(ValueLayout.JAVA_LONG, at + VcpuLayouts.Xcr.VALUE);
      }
    }
    return 1;
  }

  /** Makes XCR0 the only register in this buffer. */
  public Xcrs setXcr0(long value) {
    memory.set(ValueLayout.JAVA_INT, VcpuLayouts.Xcrs.NR_XCRS, 1);
    memory.set(ValueLayout.JAVA_INT, VcpuLayouts.Xcrs.XCRS + VcpuLayouts.Xcr.XCR, 0);
    memory.set(ValueLayout.JAVA_LONG, VcpuLayouts.Xcrs.XCRS + VcpuLayouts.Xcr.VALUE, value);
    return this;
  }
}
