// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CName;
import dev.spindle.linux.internal.CStruct;

/** The structures of KVM's ioctls on a VM: sizes and offsets. */
final class VmLayouts {
  private static final String HEADER = "linux/kvm.h";

  private VmLayouts() {}

  /** A memory slot. */
  @CStruct(value = "struct kvm_userspace_memory_region", headers = HEADER)
  static final class MemoryRegion {
    static final int SIZE = 32;
    static final int SLOT = 0;
    static final int FLAGS = 4;
    static final int GUEST_PHYS_ADDR = 8;
    static final int MEMORY_SIZE = 16;
    static final int USERSPACE_ADDR = 24;

    private MemoryRegion() {}
  }

  /** The head of an array of MSR numbers. */
  @CStruct(value = "struct kvm_msr_list", headers = HEADER)
  static final class MsrList {
    static final int SIZE = 4;
    static final int NMSRS = 0;
    static final int INDICES = 4;

    private MsrList() {}
  }

  /** The level of an interrupt line. */
  @CStruct(value = "struct kvm_irq_level", headers = HEADER)
  static final class IrqLevel {
    static final int SIZE = 8;
    static final int IRQ = 0;
    static final int LEVEL = 4;

    private IrqLevel() {}
  }

  /** The head of the GSI routing table. */
  @CStruct(value = "struct kvm_irq_routing", headers = HEADER)
  static final class IrqRouting {
    static final int SIZE = 8;
    static final int NR = 0;
    static final int FLAGS = 4;
    static final int ENTRIES = 8;

    private IrqRouting() {}
  }

  /** One route of a GSI. */
  @CStruct(value = "struct kvm_irq_routing_entry", headers = HEADER)
  static final class IrqRoutingEntry {
    static final int SIZE = 48;
    static final int GSI = 0;
    static final int TYPE = 4;
    static final int FLAGS = 8;

    @CName("u.irqchip.irqchip")
    static final int IRQCHIP = 16;

    @CName("u.irqchip.pin")
    static final int PIN = 20;

    @CName("u.msi.address_lo")
    static final int MSI_ADDRESS_LO = 16;

    @CName("u.msi.address_hi")
    static final int MSI_ADDRESS_HI = 20;

    @CName("u.msi.data")
    static final int MSI_DATA = 24;

    private IrqRoutingEntry() {}
  }

  /** An eventfd bound to a GSI. */
  @CStruct(value = "struct kvm_irqfd", headers = HEADER)
  static final class Irqfd {
    static final int SIZE = 32;
    static final int FD = 0;
    static final int GSI = 4;
    static final int FLAGS = 8;
    static final int RESAMPLEFD = 12;

    private Irqfd() {}
  }

  /** A guest address bound to an eventfd. */
  @CStruct(value = "struct kvm_ioeventfd", headers = HEADER)
  static final class Ioeventfd {
    static final int SIZE = 64;
    static final int DATAMATCH = 0;
    static final int ADDR = 8;
    static final int LEN = 16;
    static final int FD = 20;
    static final int FLAGS = 24;

    private Ioeventfd() {}
  }

  /** A message-signalled interrupt. */
  @CStruct(value = "struct kvm_msi", headers = HEADER)
  static final class Msi {
    static final int SIZE = 32;
    static final int ADDRESS_LO = 0;
    static final int ADDRESS_HI = 4;
    static final int DATA = 8;
    static final int FLAGS = 12;

    private Msi() {}
  }

  /** Where to write a slot's dirty pages. */
  @CStruct(value = "struct kvm_dirty_log", headers = HEADER)
  static final class DirtyLog {
    static final int SIZE = 16;
    static final int SLOT = 0;
    static final int DIRTY_BITMAP = 8;

    private DirtyLog() {}
  }

  /** The guest's kvmclock. */
  @CStruct(value = "struct kvm_clock_data", headers = HEADER)
  static final class Clock {
    static final int SIZE = 48;
    static final int CLOCK = 0;
    static final int FLAGS = 8;
    static final int REALTIME = 16;
    static final int HOST_TSC = 24;

    private Clock() {}
  }

  /** The 8254 timer's options. */
  @CStruct(value = "struct kvm_pit_config", headers = HEADER)
  static final class PitConfig {
    static final int SIZE = 64;
    static final int FLAGS = 0;

    private PitConfig() {}
  }

  /** A capability to switch on. */
  @CStruct(value = "struct kvm_enable_cap", headers = HEADER)
  static final class EnableCap {
    static final int SIZE = 104;
    static final int CAP = 0;
    static final int FLAGS = 4;
    static final int ARGS = 8;

    private EnableCap() {}
  }

  /** An interrupt controller's state. */
  @CStruct(value = "struct kvm_irqchip", headers = HEADER)
  static final class Irqchip {
    static final int SIZE = 520;
    static final int CHIP_ID = 0;

    @CName("chip")
    static final int STATE = 8;

    private Irqchip() {}
  }

  /** The 8254 timer's state. */
  @CStruct(value = "struct kvm_pit_state2", headers = HEADER)
  static final class PitState {
    static final int SIZE = 112;
    static final int CHANNELS = 0;
    static final int FLAGS = 72;

    private PitState() {}
  }
}
