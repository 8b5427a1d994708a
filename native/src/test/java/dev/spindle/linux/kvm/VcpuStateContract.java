// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.kvm.Regs.Register;
import dev.spindle.linux.kvm.Sregs.ControlRegister;
import dev.spindle.linux.kvm.Sregs.SegmentRegister;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A vCPU's state, read and written, and what the system and the VM answer. */
abstract class VcpuStateContract {
  private static final int TSC_DEADLINE = 0x6e0;
  private static final int PAT = 0x277;
  private static final long PAT_AT_RESET = 0x0007_0406_0007_0406L;
  private static final int NO_SUCH_MSR = 0x1234_5678;

  private TestGuest guest;

  @BeforeEach
  void create() throws Exception {
    // mov eax, 0x12345678; cpuid; hlt
    guest = TestGuest.withIrqchip("66 b8 78 56 34 12 0f a2 e6 f0 f4");
  }

  @AfterEach
  void close() throws Exception {
    guest.close();
  }

  @Test
  void generalRegistersKeepTheirValues() throws Exception {
    Regs regs = new Regs();
    long value = 0x0102_0304_0506_0708L;
    for (Register register : Register.values()) {
      regs.set(register, register == Register.RFLAGS ? 2 : value);
      value += 0x1111_1111_1111_1111L;
    }
    guest.vcpu.set(regs);
    Regs back = guest.vcpu.regs();
    for (Register register : Register.values()) {
      assertEquals(regs.get(register), back.get(register), register.name());
    }
    assertArrayEquals(regs.toBytes(), back.toBytes());
  }

  @Test
  void systemRegistersKeepTheirValues() throws Exception {
    Sregs sregs = guest.vcpu.sregs();
    assertEquals(0, sregs.get(ControlRegister.CR0) & 1, "real mode");
    sregs.set(ControlRegister.CR0, 0x11);
    sregs.set(ControlRegister.CR3, 0x3000);
    sregs.setGdt(new DescriptorTable(0x1000, 0xfff7));
    sregs.setIdt(new DescriptorTable(0x2000, 0x3ff));
    SegmentDescriptor code = SegmentDescriptor.code32(8);
    sregs.setSegment(SegmentRegister.CS, code);
    sregs.setSegment(SegmentRegister.DS, SegmentDescriptor.data(16));
    SegmentDescriptor task = SegmentDescriptor.taskState(24, 0x5000, 0x67);
    sregs.setSegment(SegmentRegister.TR, task);
    guest.vcpu.set(sregs);

    Sregs back = guest.vcpu.sregs();
    assertEquals(0x11, back.get(ControlRegister.CR0) & 0x11);
    assertEquals(0x3000, back.get(ControlRegister.CR3));
    assertEquals(new DescriptorTable(0x1000, 0xfff7), back.gdt());
    assertEquals(new DescriptorTable(0x2000, 0x3ff), back.idt());
    assertEquals(code, back.segment(SegmentRegister.CS));
    assertEquals(task, back.segment(SegmentRegister.TR));
  }

  @Test
  void bytesRestoreWhatTheyWereTakenFrom() throws Exception {
    for (VcpuState state :
        new VcpuState[] {
          new Regs(), new Sregs(), new Fpu(), new LapicState(), new VcpuEvents(), new DebugRegs()
        }) {
      guest.vcpu.get(state);
      byte[] taken = state.toBytes();
      guest.vcpu.set(state);
      guest.vcpu.get(state);
      assertArrayEquals(taken, state.toBytes(), state.name());
      state.fromBytes(taken);
      assertArrayEquals(taken, state.toBytes());
      assertThrows(IllegalArgumentException.class, () -> state.fromBytes(new byte[3]));
    }
  }

  @Test
  void floatingPointStateKeepsItsValues() throws Exception {
    Fpu fpu = new Fpu();
    guest.vcpu.set(fpu.setControlWord(0x27f));
    Fpu back = new Fpu();
    guest.vcpu.get(back);
    assertEquals(0x27f, back.controlWord());
  }

  @Test
  void extendedStateIsThere() throws Exception {
    guest.vcpu.setCpuid(guest.kvm.supportedCpuid());
    Xcrs xcrs = new Xcrs();
    guest.vcpu.get(xcrs);
    assertEquals(1, xcrs.xcr0() & 1, "x87 is always on");
    guest.vcpu.set(xcrs.setXcr0(1));
    Xsave xsave = new Xsave();
    guest.vcpu.get(xsave);
    guest.vcpu.set(xsave);
    DebugRegs debug = new DebugRegs();
    guest.vcpu.get(debug);
    assertEquals(0, debug.address(3));
    assertEquals(0x400, debug.dr7() & 0x400);
    assertEquals(0xffff_0ff0L, debug.dr6() & 0xffff_0ff0L);
  }

  @Test
  void theLocalApicIsReadAndWritten() throws Exception {
    LapicState lapic = new LapicState();
    guest.vcpu.get(lapic);
    assertEquals(0, lapic.get(0x20) >>> 24, "its number");
    lapic.set(0xf0, 0x1ff).set(0x350, 0x8700);
    guest.vcpu.set(lapic);
    LapicState back = new LapicState();
    guest.vcpu.get(back);
    assertEquals(0x1ff, back.get(0xf0));
    assertEquals(0x8700, back.get(0x350));
  }

  @Test
  void msrsAreReadAndWritten() throws Exception {
    assertArrayEquals(new long[] {PAT_AT_RESET}, guest.vcpu.msrs(PAT));
    guest.vcpu.setMsrs(List.of(new MsrEntry(PAT, 0x0606_0606_0606_0606L)));
    assertEquals(0x0606_0606_0606_0606L, guest.vcpu.msrs(PAT)[0]);

    LinuxException e =
        assertThrows(LinuxException.class, () -> guest.vcpu.msrs(PAT, NO_SUCH_MSR, TSC_DEADLINE));
    assertEquals("KVM_GET_MSRS vCPU 0 MSR 0x12345678: EINVAL (Invalid argument)", e.getMessage());
    e =
        assertThrows(
            LinuxException.class, () -> guest.vcpu.setMsrs(List.of(new MsrEntry(NO_SUCH_MSR, 1))));
    assertEquals("KVM_SET_MSRS", e.call());
    assertEquals(Errno.EINVAL, e.errno());
  }

  @Test
  void theGuestSeesTheCpuidItWasGiven() throws Exception {
    List<CpuidEntry> supported = guest.kvm.supportedCpuid();
    assertTrue(supported.size() > 5);
    CpuidEntry vendor =
        supported.stream().filter(entry -> entry.function() == 0).findFirst().orElseThrow();
    CpuidEntry own = new CpuidEntry(0x1234_5678, 0, 0, 0x5a, 2, 3, 4);
    guest.vcpu.setCpuid(List.of(vendor.with(0x1234_5678, vendor.ebx(), 0, 0), own));
    List<CpuidEntry> back = guest.vcpu.cpuid();
    assertTrue(back.contains(own), back.toString());
    assertFalse(own.indexed());
    assertSame(VcpuExit.IO, guest.vcpu.run());
    assertEquals(0x5a, guest.run.ioData(0));
    assertEquals(3, guest.vcpu.regs().get(Register.RCX));
  }

  @Test
  void theRunStateIsReadAndWritten() throws Exception {
    assertSame(MpState.RUNNABLE, guest.vcpu.mpState());
    guest.vcpu.setMpState(MpState.HALTED);
    assertSame(MpState.HALTED, guest.vcpu.mpState());
    guest.vcpu.setMpState(MpState.RUNNABLE);
  }

  @Test
  void theSystemIsWhatItMustBe() throws Exception {
    assertEquals(Kvm.API_VERSION, guest.kvm.apiVersion());
    assertTrue(guest.kvm.maxVcpus() >= 16);
    assertTrue(guest.kvm.checkExtension(KvmCap.NR_MEMSLOTS) >= 32);
    assertEquals(0, guest.kvm.checkExtension(9999));
    assertTrue(guest.vm.checkExtension(KvmCap.IRQFD) > 0);
    boolean listed = false;
    for (int msr : guest.kvm.msrIndices()) {
      listed |= msr == 0x174; // IA32_SYSENTER_CS
    }
    assertTrue(listed);
    assertTrue(guest.vcpu.tscKhz() > 100_000);
  }

  @Test
  void theClockIsSet() throws Exception {
    long hours = 3_600_000_000_000L * 5;
    guest.vm.setClock(hours);
    long read = guest.vm.clock().nanoseconds();
    assertTrue(read >= hours && read < 2 * hours, "clock " + read);
  }

  @Test
  void aGuestWithoutKvmclockNeedsNoNotice() throws Exception {
    assertFalse(guest.vcpu.notifyPaused());
  }

  @Test
  void refusalsNameTheIoctl() throws Exception {
    LinuxException e = assertThrows(LinuxException.class, () -> guest.vm.createVcpu(0));
    assertEquals("KVM_CREATE_VCPU vCPU 0: EEXIST (File exists)", e.getMessage());
    e = assertThrows(LinuxException.class, () -> guest.vm.createIrqchip());
    assertEquals("KVM_CREATE_IRQCHIP", e.call());
    try (Arena arena = Arena.ofConfined()) {
      e =
          assertThrows(
              LinuxException.class,
              () -> guest.vm.setUserMemoryRegion(1, 0, 0x10_0001, arena.allocate(4096, 4096)));
    }
    assertEquals("KVM_SET_USER_MEMORY_REGION KVM VM: EINVAL (Invalid argument)", e.getMessage());
    e = assertThrows(LinuxException.class, () -> guest.vm.enableCapability(9999));
    assertEquals("KVM_ENABLE_CAP", e.call());
  }
}
