// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;
import java.util.Objects;

/** A vCPU's debug registers ({@code struct kvm_debugregs}). */
public final class DebugRegs extends VcpuState {
  private static final int ADDRESSES = 4;

  /** Makes a buffer of zeroes. */
  public DebugRegs() {
    super("DEBUGREGS", KvmIoctl.GET_DEBUGREGS, KvmIoctl.SET_DEBUGREGS, VcpuLayouts.DebugRegs.SIZE);
  }

  /** A breakpoint's address, DR0 to DR3. */
  public long address(int index) {
    Objects.checkIndex(index, ADDRESSES);
    return memory.get(ValueLayout.JAVA_LONG, VcpuLayouts.DebugRegs.DB + 8L * index);
  }

  /** The status register. */
  public long dr6() {
    return memory.get(ValueLayout.JAVA_LONG, VcpuLayouts.DebugRegs.DR6);
  }

  /** The control register. */
  public long dr7() {
    return memory.get(ValueLayout.JAVA_LONG, VcpuLayouts.DebugRegs.DR7);
  }
}
