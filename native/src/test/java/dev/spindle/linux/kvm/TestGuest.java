// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.kvm.Regs.Register;
import dev.spindle.linux.kvm.Sregs.SegmentRegister;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;

/**
 * A VM with 64 KiB of memory and one vCPU, which starts in real mode at 0:{@link #CODE} with every
 * segment at 0, its stack below the code, and interrupts off.
 */
final class TestGuest implements AutoCloseable {
  /** Where the code starts. */
  static final int CODE = 0x8000;

  private static final int MEMORY = 64 << 10;

  final Kvm kvm;
  final Vm vm;
  final Vcpu vcpu;
  final KvmRun run;
  final Mapping memory;

  private TestGuest(boolean irqchip) throws LinuxException {
    kvm = Kvm.open();
    vm = kvm.createVm();
    if (irqchip) {
      vm.createIrqchip();
    }
    memory = Mapping.anonymous(MEMORY);
    vm.setUserMemoryRegion(0, 0, 0, memory.segment());
    vcpu = vm.createVcpu(0);
    run = vcpu.kvmRun();
  }

  /** A guest without interrupt controllers: HLT leaves it. */
  static TestGuest plain(String... code) throws LinuxException {
    TestGuest guest = new TestGuest(false);
    guest.start(code);
    return guest;
  }

  /** A guest with the interrupt controllers in the kernel. */
  static TestGuest withIrqchip(String... code) throws LinuxException {
    TestGuest guest = new TestGuest(true);
    guest.start(code);
    return guest;
  }

  private void start(String... code) throws LinuxException {
    load(CODE, code);
    Sregs sregs = vcpu.sregs();
    for (SegmentRegister register :
        new SegmentRegister[] {
          SegmentRegister.CS,
          SegmentRegister.DS,
          SegmentRegister.ES,
          SegmentRegister.FS,
          SegmentRegister.GS,
          SegmentRegister.SS
        }) {
      sregs.setSegment(register, sregs.segment(register).withRealModeSelector(0));
    }
    vcpu.set(sregs);
    vcpu.set(new Regs().set(Register.RIP, CODE).set(Register.RSP, 0x7000).set(Register.RFLAGS, 2));
  }

  /** Puts machine code, in hexadecimal, into memory. */
  void load(int address, String... code) {
    byte[] bytes = HexFormat.of().parseHex(String.join("", code).replace(" ", ""));
    MemorySegment.copy(bytes, 0, memory.segment(), ValueLayout.JAVA_BYTE, address, bytes.length);
  }

  /** Points a real-mode interrupt vector at a handler. */
  void setVector(int vector, int handler) {
    memory.segment().set(ValueLayout.JAVA_INT, 4L * vector, handler);
  }

  int byteAt(int address) {
    return Byte.toUnsignedInt(memory.segment().get(ValueLayout.JAVA_BYTE, address));
  }

  @Override
  public void close() throws LinuxException {
    vcpu.close();
    vm.close();
    kvm.close();
    memory.close();
  }
}
