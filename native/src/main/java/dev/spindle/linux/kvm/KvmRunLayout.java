// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.internal.CName;
import dev.spindle.linux.internal.CStruct;

/** The page that a vCPU and its user share: size and offsets. */
@CStruct(value = "struct kvm_run", headers = "linux/kvm.h")
final class KvmRunLayout {
  static final int SIZE = 2352;
  static final int REQUEST_INTERRUPT_WINDOW = 0;
  static final int IMMEDIATE_EXIT = 1;
  static final int EXIT_REASON = 8;
  static final int READY_FOR_INTERRUPT_INJECTION = 12;
  static final int IF_FLAG = 13;
  static final int FLAGS = 14;
  static final int CR8 = 16;
  static final int APIC_BASE = 24;

  @CName("fail_entry.hardware_entry_failure_reason")
  static final int FAIL_ENTRY_REASON = 32;

  @CName("fail_entry.cpu")
  static final int FAIL_ENTRY_CPU = 40;

  @CName("ex.exception")
  static final int EX_EXCEPTION = 32;

  @CName("ex.error_code")
  static final int EX_ERROR_CODE = 36;

  @CName("io.direction")
  static final int IO_DIRECTION = 32;

  @CName("io.size")
  static final int IO_SIZE = 33;

  @CName("io.port")
  static final int IO_PORT = 34;

  @CName("io.count")
  static final int IO_COUNT = 36;

  @CName("io.data_offset")
  static final int IO_DATA_OFFSET = 40;

  @CName("mmio.phys_addr")
  static final int MMIO_PHYS_ADDR = 32;

  @CName("mmio.data")
  static final int MMIO_DATA = 40;

  @CName("mmio.len")
  static final int MMIO_LEN = 48;

  @CName("mmio.is_write")
  static final int MMIO_IS_WRITE = 52;

  @CName("internal.suberror")
  static final int INTERNAL_SUBERROR = 32;

  @CName("internal.ndata")
  static final int INTERNAL_NDATA = 36;

  @CName("internal.data")
  static final int INTERNAL_DATA = 40;

  @CName("system_event.type")
  static final int SYSTEM_EVENT_TYPE = 32;

  @CName("system_event.ndata")
  static final int SYSTEM_EVENT_NDATA = 36;

  @CName("system_event.data")
  static final int SYSTEM_EVENT_DATA = 40;

  @CName("eoi.vector")
  static final int EOI_VECTOR = 32;

  @CName("msr.error")
  static final int MSR_ERROR = 32;

  @CName("msr.reason")
  static final int MSR_REASON = 40;

  @CName("msr.index")
  static final int MSR_INDEX = 44;

  @CName("msr.data")
  static final int MSR_DATA = 48;

  private KvmRunLayout() {}
}
