// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CConstants;
import dev.spindle.linux.internal.CName;
import java.util.Arrays;

/** Why {@link Vcpu#run} returned (KVM_EXIT_*; api.rst, "struct kvm_run"). */
@CConstants(headers = "linux/kvm.h", prefix = "KVM_EXIT_")
public enum VcpuExit {
  /** The CPU left the guest for a reason that KVM does not know. */
  UNKNOWN(0),
  /** A guest exception that should not have reached user space. */
  EXCEPTION(1),
  /** A port access: {@link KvmRun#ioPort} and its neighbours. */
  IO(2),
  /** A hypercall left to user space. */
  HYPERCALL(3),
  /** A guest debugging event. */
  DEBUG(4),
  /** HLT without an in-kernel interrupt controller. */
  HLT(5),
  /** A memory access outside every slot: {@link KvmRun#mmioAddress} and its neighbours. */
  MMIO(6),
  /** The guest can take an interrupt now. */
  IRQ_WINDOW_OPEN(7),
  /** A triple fault. */
  SHUTDOWN(8),
  /** The CPU refused to enter the guest: {@link KvmRun#failEntryReason}. */
  FAIL_ENTRY(9),
  /** A signal or {@code immediate_exit}: somebody wants the thread's attention. */
  @CName("KVM_EXIT_INTR")
  INTERRUPTED(10),
  /** The task priority changed, with the interrupt controller in user space. */
  SET_TPR(11),
  /** A task-priority access was reported. */
  TPR_ACCESS(12),
  /** The CPU left the guest for a non-maskable interrupt. */
  NMI(16),
  /** KVM cannot go on: {@link KvmRun#internalSuberror}. */
  INTERNAL_ERROR(17),
  /** A shutdown, reset or crash request: {@link KvmRun#systemEventType}. */
  SYSTEM_EVENT(24),
  /** An interrupt of the user-space I/O APIC was acknowledged. */
  IOAPIC_EOI(26),
  /** A Hyper-V event. */
  HYPERV(27),
  /** A read of an MSR that KVM leaves to user space. */
  X86_RDMSR(29),
  /** A write of an MSR that KVM leaves to user space. */
  X86_WRMSR(30),
  /** The dirty ring is full. */
  DIRTY_RING_FULL(31),
  /** The guest locked the bus. */
  X86_BUS_LOCK(33),
  /** A Xen event. */
  XEN(34),
  /** The guest stayed too long without letting interrupts in. */
  NOTIFY(37),
  /** A reason not in this list: {@link KvmRun#exitReason} has the number. */
  @CName("-1")
  OTHER(-1);

  private static final VcpuExit[] BY_NUMBER = new VcpuExit[38];

  static {
    Arrays.fill(BY_NUMBER, OTHER);
    for (VcpuExit exit : values()) {
      if (exit != OTHER) {
        BY_NUMBER[exit.number] = exit;
      }
    }
  }

  private final int number;

  VcpuExit(int number) {
    this.number = number;
  }

  /** The kernel's number. */
  int number() {
    return number;
  }

  static VcpuExit of(int reason) {
    return reason >= 0 && reason < BY_NUMBER.length ? BY_NUMBER[reason] : OTHER;
  }
}
