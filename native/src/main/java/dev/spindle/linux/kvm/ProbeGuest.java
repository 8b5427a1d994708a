// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.Regs.Register;
import dev.spindle.linux.kvm.Sregs.ControlRegister;
import dev.spindle.linux.kvm.Sregs.SegmentRegister;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.List;

/**
 * The guest that {@link KvmProbe} runs: a few hundred bytes of 64-bit code that make a kernel's
 * moves and report each by a port write. The code's source is {@code probe-guest.S} among this
 * module's tests; here are its bytes, and the descriptor and page tables that it expects.
 */
final class ProbeGuest {
  /** Bytes of guest memory, from guest-physical 0 on. */
  static final long MEMORY_SIZE = 2L << 20;

  /** Where the guest reports. */
  static final int STAGE_PORT = 0xf0;

  /** What each stage shows, in order; stage numbers start at 1. */
  static final List<String> STAGES =
      List.of(
          "write to a port from a kernel's address",
          "take an exception through its own descriptor table",
          "repair a page fault",
          "enter ring 3 and come back by a system call",
          "be woken by its timer's interrupt",
          "run ten million plain instructions");

  /** What {@code probe-guest.S} assembles to. */
  static final byte[] CODE =
      HexFormat.of()
          .parseHex(
              "b001e6f00f011425007f00800f011c25107f00806a08488d05030000005048cbb8100000008ed88e"
                  + "c08ed031dbcc89d8e6f0c70425000060005a5a5a5a813c25000060005a5a5a5a0f8502010000b003"
                  + "e6f0b9800000c00f3283c8010f30b9810000c031c0ba080018000f30b9820000c0488d051b000000"
                  + "4889c248c1ea200f30b98f00410041bb02000000480f078cc80f0583e00383f8030f85b1000000b0"
                  + "04e6f0bf0000e0fec787f0000000ff010000c787e00300000b000000c7872003000040000000c787"
                  + "80030000a086010031dbfbf4fa89d8e6f0b9404b4c00ffc975fcb006e6f0f4ebfd00000000000000"
                  + "00000000000000000000000000000000bb0200000048cf00000000000000000048c7042500600080"
                  + "030002004883c40848cf0000000000000000000000000000bb05000000c787b00000000000000048"
                  + "cf000000000000000000000000000000b0eee6f0f4ebfd");

  // Guest-physical addresses.
  private static final long ROOT_TABLE = 0x1000;
  private static final long LOW_POINTERS = 0x2000;
  private static final long LOW_DIRECTORY = 0x3000;
  private static final long KERNEL_POINTERS = 0x4000;
  private static final long KERNEL_DIRECTORY = 0x5000;
  private static final long LATE_TABLE = 0x6000;
  private static final long GDT = 0x7000;
  private static final long GDT_POINTER = 0x7f00;
  private static final long IDT_POINTER = 0x7f10;
  private static final long IDT = 0x8000;
  private static final long APIC_DIRECTORY = 0x9000;
  private static final long STACK_TOP = 0xff00;
  private static final long CODE_START = 0x10000;

  /** Where the guest's first 2 MiB appear as a kernel's. */
  private static final long KERNEL = 0xffff_ffff_8000_0000L;

  // Page-table bits (Intel SDM volume 3, 4.5).
  private static final long TABLE = 7;
  private static final long KERNEL_TABLE = 3;
  private static final long LARGE_PAGE = 0x83;
  private static final long USER_LARGE_PAGE = 0x87;
  private static final long DEVICE_LARGE_PAGE = 0x93;
  private static final long LAPIC_PAGE = 0xfee0_0000L;

  // Segment descriptors (volume 3, 3.4.5): the order that SYSCALL and SYSRET want.
  private static final long[] SEGMENTS = {
    0,
    0x00af_9b00_0000_ffffL,
    0x00cf_9300_0000_ffffL,
    0,
    0x00cf_f300_0000_ffffL,
    0x00af_fb00_0000_ffffL
  };

  private static final int VECTORS = 256;
  private static final int BREAKPOINT = 3;
  private static final int PAGE_FAULT = 14;
  private static final int TIMER = 0x40;
  private static final long INTERRUPT_GATE = 0x8e00;

  private static final long CR0 = 0x8001_0031L; // PG, WP, NE, ET, PE
  private static final long CR4 = 0x20; // PAE
  private static final long EFER = 0x500; // LMA, LME

  private ProbeGuest() {}

  /** Puts code and tables into zeroed memory of {@link #MEMORY_SIZE} bytes. */
  static void load(MemorySegment memory) {
    // The low 2 MiB as they are, once more for ring 3 at 4 MiB, a page table at 6 MiB; the APIC.
    put(memory, ROOT_TABLE, LOW_POINTERS | TABLE);
    put(memory, LOW_POINTERS, LOW_DIRECTORY | TABLE);
    put(memory, LOW_POINTERS + 3 * 8, APIC_DIRECTORY | KERNEL_TABLE);
    put(memory, LOW_DIRECTORY, LARGE_PAGE);
    put(memory, LOW_DIRECTORY + 2 * 8, USER_LARGE_PAGE);
    put(memory, LOW_DIRECTORY + 3 * 8, LATE_TABLE | KERNEL_TABLE);
    put(memory, APIC_DIRECTORY + 0x1f7 * 8, LAPIC_PAGE | DEVICE_LARGE_PAGE);
    // The same 2 MiB where a kernel has them.
    put(memory, ROOT_TABLE + 511 * 8, KERNEL_POINTERS | KERNEL_TABLE);
    put(memory, KERNEL_POINTERS + 510 * 8, KERNEL_DIRECTORY | KERNEL_TABLE);
    put(memory, KERNEL_DIRECTORY, LARGE_PAGE);

    for (int i = 0; i < SEGMENTS.length; i++) {
      put(memory, GDT + 8L * i, SEGMENTS[i]);
    }
    pointer(memory, GDT_POINTER, GDT, SEGMENTS.length * 8 - 1);
    for (int vector = 0; vector < VECTORS; vector++) {
      gate(
          memory,
          vector,
          switch (vector) {
            case BREAKPOINT -> 0x100;
            case PAGE_FAULT -> 0x110;
            case TIMER -> 0x130;
            default -> 0x150;
          });
    }
    pointer(memory, IDT_POINTER, IDT, VECTORS * 16 - 1);
    MemorySegment.copy(CODE, 0, memory, ValueLayout.JAVA_BYTE, CODE_START, CODE.length);
  }

  private static void put(MemorySegment memory, long address, long value) {
    memory.set(ValueLayout.JAVA_LONG, address, value);
  }

  private static void pointer(MemorySegment memory, long address, long table, int limit) {
    memory.set(ValueLayout.JAVA_SHORT, address, (short) limit);
    memory.set(ValueLayout.JAVA_LONG_UNALIGNED, address + 2, KERNEL + table);
  }

  private static void gate(MemorySegment memory, int vector, long codeOffset) {
    long handler = KERNEL + CODE_START + codeOffset;
    long selector = 8;
    put(
        memory,
        IDT + 16L * vector,
        (handler & 0xffff)
            | selector << 16
            | INTERRUPT_GATE << 32
            | (handler >>> 16 & 0xffff) << 48);
    put(memory, IDT + 16L * vector + 8, handler >>> 32);
  }

  /** Makes the vCPU start at the code's first instruction, in 64-bit mode. */
  static void start(Vcpu vcpu) throws LinuxException {
    Sregs sregs = vcpu.sregs();
    sregs.set(ControlRegister.CR0, CR0);
    sregs.set(ControlRegister.CR3, ROOT_TABLE);
    sregs.set(ControlRegister.CR4, CR4);
    sregs.set(ControlRegister.EFER, EFER);
    sregs.setSegment(SegmentRegister.CS, SegmentDescriptor.code64(8));
    SegmentDescriptor data = SegmentDescriptor.data(16);
    sregs.setSegment(SegmentRegister.DS, data);
    sregs.setSegment(SegmentRegister.ES, data);
    sregs.setSegment(SegmentRegister.FS, data);
    sregs.setSegment(SegmentRegister.GS, data);
    sregs.setSegment(SegmentRegister.SS, data);
    vcpu.set(sregs);
    vcpu.set(
        new Regs()
            .set(Register.RIP, KERNEL + CODE_START)
            .set(Register.RSP, KERNEL + STACK_TOP)
            .set(Register.RFLAGS, 2));
  }
}
