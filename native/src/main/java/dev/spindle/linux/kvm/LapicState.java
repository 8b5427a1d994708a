// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/**
 * A vCPU's local APIC ({@code struct kvm_lapic_state}): its register page, one 32-bit register
 * every 16 bytes (Intel SDM volume 3, table 11-1).
 */
public final class LapicState extends VcpuState {
  /** Makes a buffer of zeroes. */
  public LapicState() {
    super("LAPIC", KvmIoctl.GET_LAPIC, KvmIoctl.SET_LAPIC, VcpuLayouts.Lapic.SIZE);
  }

  /**
   * A register.
   *
   * @param offset in the page: 0x350 for LINT0
   */
  public int get(int offset) {
    return memory.get(ValueLayout.JAVA_INT, VcpuLayouts.Lapic.REGS + (long) offset);
  }

  /** Sets a register in this buffer. */
  public LapicState set(int offset, int value) {
    memory.set(ValueLayout.JAVA_INT, VcpuLayouts.Lapic.REGS + (long) offset, value);
    return this;
  }
}
