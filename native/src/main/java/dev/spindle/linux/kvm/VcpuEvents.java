// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import java.lang.foreign.ValueLayout;

/** What a vCPU has pending: exceptions, interrupts, NMIs ({@code struct kvm_vcpu_events}). */
public final class VcpuEvents extends VcpuState {
  /** Makes a buffer of zeroes. */
  public VcpuEvents() {
    super(
        "VCPU_EVENTS",
        KvmIoctl.GET_VCPU_EVENTS,
        KvmIoctl.SET_VCPU_EVENTS,
        VcpuLayouts.VcpuEvents.SIZE);
  }

  /** Whether an exception is being delivered. */
  public boolean exceptionInjected() {
    return flag(VcpuLayouts.VcpuEvents.EXCEPTION_INJECTED);
  }

  /** The exception's vector. */
  public int exceptionVector() {
    return Byte.toUnsignedInt(
        memory.get(ValueLayout.JAVA_BYTE, VcpuLayouts.VcpuEvents.EXCEPTION_NR));
  }

  /** Whether an interrupt is being delivered. */
  public boolean interruptInjected() {
    return flag(VcpuLayouts.VcpuEvents.INTERRUPT_INJECTED);
  }

  /** The interrupt's vector. */
  public int interruptVector() {
    return Byte.toUnsignedInt(
        memory.get(ValueLayout.JAVA_BYTE, VcpuLayouts.VcpuEvents.INTERRUPT_NR));
  }

  /** Whether an NMI waits. */
  public boolean nmiPending() {
    return flag(VcpuLayouts.VcpuEvents.NMI_PENDING);
  }

  private boolean flag(int offset) {
    return memory.get(ValueLayout.JAVA_BYTE, offset) != 0;
  }
}
