// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CConstants;

/** The values that go into and come out of KVM's structures. */
@CConstants(headers = "linux/kvm.h", prefix = "KVM_")
final class KvmConstants {
  static final int API_VERSION = 12;
  static final int MEM_LOG_DIRTY_PAGES = 1;
  static final int MEM_READONLY = 2;
  static final int IRQ_ROUTING_IRQCHIP = 1;
  static final int IRQ_ROUTING_MSI = 2;
  static final int IRQFD_FLAG_DEASSIGN = 1;
  static final int IRQFD_FLAG_RESAMPLE = 2;
  static final int IOEVENTFD_FLAG_DATAMATCH = 1;
  static final int IOEVENTFD_FLAG_PIO = 2;
  static final int IOEVENTFD_FLAG_DEASSIGN = 4;
  static final int PIT_SPEAKER_DUMMY = 1;
  static final int CPUID_FLAG_SIGNIFCANT_INDEX = 1;
  static final int IRQCHIP_PIC_MASTER = 0;
  static final int IRQCHIP_PIC_SLAVE = 1;
  static final int IRQCHIP_IOAPIC = 2;
  static final int EXIT_IO_OUT = 1;
  static final int CLOCK_TSC_STABLE = 2;
  static final int SYSTEM_EVENT_SHUTDOWN = 1;
  static final int SYSTEM_EVENT_RESET = 2;
  static final int SYSTEM_EVENT_CRASH = 3;
  static final int INTERNAL_ERROR_EMULATION = 1;

  private KvmConstants() {}
}
