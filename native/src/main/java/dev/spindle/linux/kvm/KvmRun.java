// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * The page that a vCPU shares with its user ({@code struct kvm_run}): why it stopped, and what it
 * wants to read or write. Nothing here allocates.
 *
 * <p>For the vCPU's own thread, between two {@link Vcpu#run}; only {@link #setImmediateExit} is for
 * any thread at any time. What a method returns is meaningful only after the exit that it belongs
 * to.
 */
public final class KvmRun {
  /** {@link #systemEventType}: the guest asked to be switched off. */
  public static final int SYSTEM_EVENT_SHUTDOWN = KvmConstants.SYSTEM_EVENT_SHUTDOWN;

  /** {@link #systemEventType}: the guest asked for a reset. */
  public static final int SYSTEM_EVENT_RESET = KvmConstants.SYSTEM_EVENT_RESET;

  /** {@link #systemEventType}: the guest says that it crashed. */
  public static final int SYSTEM_EVENT_CRASH = KvmConstants.SYSTEM_EVENT_CRASH;

  /** {@link #internalSuberror}: an instruction that KVM cannot emulate. */
  public static final int INTERNAL_ERROR_EMULATION = KvmConstants.INTERNAL_ERROR_EMULATION;

  private static final int MMIO_BYTES = 8;

  private final MemorySegment page;

  KvmRun(Mapping mapping) {
    page = mapping.segment();
  }

  /** KVM_EXIT_*, as a number; {@link VcpuExit} is the same with a name. */
  public int exitReason() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.EXIT_REASON);
  }

  /**
   * Makes the next KVM_RUN, or one that has not entered the guest yet, return at once. From any
   * thread; by itself it does not reach a vCPU inside the guest, which {@link Vcpu#kick} does.
   */
  public void setImmediateExit(boolean exit) {
    page.set(ValueLayout.JAVA_BYTE, KvmRunLayout.IMMEDIATE_EXIT, (byte) (exit ? 1 : 0));
  }

  boolean immediateExit() {
    return page.get(ValueLayout.JAVA_BYTE, KvmRunLayout.IMMEDIATE_EXIT) != 0;
  }

  /** Whether the guest's interrupt flag was set at the exit. */
  public boolean interruptsEnabled() {
    return page.get(ValueLayout.JAVA_BYTE, KvmRunLayout.IF_FLAG) != 0;
  }

  // A port access. The guest repeats it ioCount() times at one port (INS, OUTS); each has a place
  // of
  // its own in the data that follows.

  /** Whether the guest writes to the port. */
  public boolean ioIsWrite() {
    return page.get(ValueLayout.JAVA_BYTE, KvmRunLayout.IO_DIRECTION) == KvmConstants.EXIT_IO_OUT;
  }

  /** The port, 0 to 65535. */
  public int ioPort() {
    return Short.toUnsignedInt(page.get(ValueLayout.JAVA_SHORT, KvmRunLayout.IO_PORT));
  }

  /** Bytes of one access: 1, 2 or 4. */
  public int ioSize() {
    return page.get(ValueLayout.JAVA_BYTE, KvmRunLayout.IO_SIZE);
  }

  /** Accesses in this exit, at least 1. */
  public int ioCount() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.IO_COUNT);
  }

  /**
   * What the guest writes in one access, zero-extended.
   *
   * @param index from 0 to {@link #ioCount} - 1
   */
  public int ioData(int index) {
    long at = ioAt(index);
    return switch (ioSize()) {
      case 1 -> Byte.toUnsignedInt(page.get(ValueLayout.JAVA_BYTE, at));
      case 2 -> Short.toUnsignedInt(page.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
      default -> page.get(ValueLayout.JAVA_INT_UNALIGNED, at);
    };
  }

  /**
   * Answers one read; the guest sees it when it runs again.
   *
   * @param index from 0 to {@link #ioCount} - 1
   * @param value its low {@link #ioSize} bytes count
   */
  public void setIoData(int index, int value) {
    long at = ioAt(index);
    switch (ioSize()) {
      case 1 -> page.set(ValueLayout.JAVA_BYTE, at, (byte) value);
      case 2 -> page.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) value);
      default -> page.set(ValueLayout.JAVA_INT_UNALIGNED, at, value);
    }
  }

  private long ioAt(int index) {
    Objects.checkIndex(index, ioCount());
    return page.get(ValueLayout.JAVA_LONG, KvmRunLayout.IO_DATA_OFFSET) + (long) index * ioSize();
  }

  // A memory access.

  /** The guest-physical address. */
  public long mmioAddress() {
    return page.get(ValueLayout.JAVA_LONG, KvmRunLayout.MMIO_PHYS_ADDR);
  }

  /** Bytes, 1 to 8; KVM splits longer or unaligned accesses, so 3, 5, 6 and 7 can occur too. */
  public int mmioLength() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.MMIO_LEN);
  }

  /** Whether the guest writes. */
  public boolean mmioIsWrite() {
    return page.get(ValueLayout.JAVA_BYTE, KvmRunLayout.MMIO_IS_WRITE) != 0;
  }

  /** What the guest writes, zero-extended from {@link #mmioLength} bytes. */
  public long mmioData() {
    long value = page.get(ValueLayout.JAVA_LONG, KvmRunLayout.MMIO_DATA);
    int length = mmioLength();
    return length == MMIO_BYTES ? value : value & ((1L << (length * 8)) - 1);
  }

  /** Answers a read; the low {@link #mmioLength} bytes count. */
  public void setMmioData(long value) {
    page.set(ValueLayout.JAVA_LONG, KvmRunLayout.MMIO_DATA, value);
  }

  // Other exits.

  /** SYSTEM_EVENT_*. */
  public int systemEventType() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.SYSTEM_EVENT_TYPE);
  }

  /** INTERNAL_ERROR_*: why KVM gave up. */
  public int internalSuberror() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.INTERNAL_SUBERROR);
  }

  /** How many words {@link #internalData} has. */
  public int internalDataCount() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.INTERNAL_NDATA);
  }

  /** A word about an internal error. */
  public long internalData(int index) {
    Objects.checkIndex(index, internalDataCount());
    return page.get(ValueLayout.JAVA_LONG, KvmRunLayout.INTERNAL_DATA + 8L * index);
  }

  /** The CPU's own reason for refusing to enter the guest. */
  public long failEntryReason() {
    return page.get(ValueLayout.JAVA_LONG, KvmRunLayout.FAIL_ENTRY_REASON);
  }

  /** The MSR of an X86_RDMSR or X86_WRMSR exit. */
  public int msrIndex() {
    return page.get(ValueLayout.JAVA_INT, KvmRunLayout.MSR_INDEX);
  }

  /** What the guest writes to the MSR. */
  public long msrData() {
    return page.get(ValueLayout.JAVA_LONG, KvmRunLayout.MSR_DATA);
  }

  /** Answers a read of an MSR. */
  public void setMsrData(long value) {
    page.set(ValueLayout.JAVA_LONG, KvmRunLayout.MSR_DATA, value);
    page.set(ValueLayout.JAVA_BYTE, KvmRunLayout.MSR_ERROR, (byte) 0);
  }

  /** Answers an MSR access with a general-protection fault. */
  public void failMsr() {
    page.set(ValueLayout.JAVA_BYTE, KvmRunLayout.MSR_ERROR, (byte) 1);
  }
}
