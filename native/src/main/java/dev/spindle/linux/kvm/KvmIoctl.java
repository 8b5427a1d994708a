// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CConstants;

/** The numbers of KVM's ioctls. */
@CConstants(
    headers = {"sys/ioctl.h", "linux/kvm.h"},
    prefix = "KVM_")
final class KvmIoctl {
  static final int GET_API_VERSION = 0xAE00;
  static final int CREATE_VM = 0xAE01;
  static final long GET_MSR_INDEX_LIST = 0xC004AE02L;
  static final int CHECK_EXTENSION = 0xAE03;
  static final int GET_VCPU_MMAP_SIZE = 0xAE04;
  static final long GET_SUPPORTED_CPUID = 0xC008AE05L;
  static final int CREATE_VCPU = 0xAE41;
  static final int GET_DIRTY_LOG = 0x4010AE42;
  static final int SET_USER_MEMORY_REGION = 0x4020AE46;
  static final int SET_TSS_ADDR = 0xAE47;
  static final int SET_IDENTITY_MAP_ADDR = 0x4008AE48;
  static final int CREATE_IRQCHIP = 0xAE60;
  static final int IRQ_LINE = 0x4008AE61;
  static final long GET_IRQCHIP = 0xC208AE62L;
  static final long SET_IRQCHIP = 0x8208AE63L;
  static final int SET_GSI_ROUTING = 0x4008AE6A;
  static final int IRQFD = 0x4020AE76;
  static final int CREATE_PIT2 = 0x4040AE77;
  static final long GET_PIT2 = 0x8070AE9FL;
  static final int SET_PIT2 = 0x4070AEA0;
  static final int SET_BOOT_CPU_ID = 0xAE78;
  static final int IOEVENTFD = 0x4040AE79;
  static final int SET_CLOCK = 0x4030AE7B;
  static final long GET_CLOCK = 0x8030AE7CL;
  static final int SET_TSC_KHZ = 0xAEA2;
  static final int GET_TSC_KHZ = 0xAEA3;
  static final int RUN = 0xAE80;
  static final long GET_REGS = 0x8090AE81L;
  static final int SET_REGS = 0x4090AE82;
  static final long GET_SREGS = 0x8138AE83L;
  static final int SET_SREGS = 0x4138AE84;
  static final long TRANSLATE = 0xC018AE85L;
  static final int INTERRUPT = 0x4004AE86;
  static final long GET_MSRS = 0xC008AE88L;
  static final int SET_MSRS = 0x4008AE89;
  static final int SET_SIGNAL_MASK = 0x4004AE8B;
  static final long GET_FPU = 0x81A0AE8CL;
  static final int SET_FPU = 0x41A0AE8D;
  static final long GET_LAPIC = 0x8400AE8EL;
  static final int SET_LAPIC = 0x4400AE8F;
  static final int SET_CPUID2 = 0x4008AE90;
  static final long GET_CPUID2 = 0xC008AE91L;
  static final int NMI = 0xAE9A;
  static final int ENABLE_CAP = 0x4068AEA3;
  static final int KVMCLOCK_CTRL = 0xAEAD;
  static final int SIGNAL_MSI = 0x4020AEA5;
  static final long GET_MP_STATE = 0x8004AE98L;
  static final int SET_MP_STATE = 0x4004AE99;
  static final long GET_VCPU_EVENTS = 0x8040AE9FL;
  static final int SET_VCPU_EVENTS = 0x4040AEA0;
  static final long GET_DEBUGREGS = 0x8080AEA1L;
  static final int SET_DEBUGREGS = 0x4080AEA2;
  static final long GET_XSAVE = 0x9000AEA4L;
  static final int SET_XSAVE = 0x5000AEA5;
  static final long GET_XCRS = 0x8188AEA6L;
  static final int SET_XCRS = 0x4188AEA7;

  private KvmIoctl() {}
}
