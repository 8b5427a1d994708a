// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.Allocation;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Poll;
import dev.spindle.linux.kvm.Sregs.ControlRegister;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Interrupts in every way in which they reach a guest, which sleeps in HLT and reports each by a
 * port write.
 */
@Timeout(120)
abstract class InterruptContract {
  private static final int GSI = 20;
  private static final int MSI_VECTOR = 0x50;
  private static final long MSI_ADDRESS = 0xfee0_0000L;
  private static final int PIC_GSI = 4;
  private static final int PIC_VECTOR = 0x44;
  private static final int READY_PORT = 0x80;

  private TestGuest guest;

  @BeforeEach
  void start() throws Exception {
    guest =
        TestGuest.withIrqchip(
            // The first 8259: edge-triggered, vectors from 0x40, automatic end of interrupt.
            "b0 11 e6 20 b0 40 e6 21 b0 04 e6 21 b0 03 e6 21 b0 00 e6 21",
            "e6 80", // out 0x80, al
            "fb f4 eb fd"); // sti; hlt; jmp to it
    guest.setVector(MSI_VECTOR, 0x9000);
    guest.load(
        0x9000,
        "b0 50 e6 f0", // mov al, 0x50; out 0xf0, al
        "66 b9 0b 08 00 00 66 31 c0 66 31 d2 0f 30", // wrmsr(0x80b, 0): end of interrupt
        "cf");
    guest.setVector(PIC_VECTOR, 0x9100);
    guest.load(0x9100, "b0 44 e6 f0 cf");

    guest.vcpu.setCpuid(guest.kvm.supportedCpuid());
    // x2APIC, whose registers real-mode code can reach, and the 8259 wired to LINT0.
    Sregs sregs = guest.vcpu.sregs();
    sregs.set(ControlRegister.APIC_BASE, sregs.get(ControlRegister.APIC_BASE) | 0xc00);
    guest.vcpu.set(sregs);
    LapicState lapic = new LapicState();
    guest.vcpu.get(lapic);
    guest.vcpu.set(lapic.set(0xf0, 0x1ff).set(0x350, 0x700));
    guest.vm.setGsiRouting(
        List.of(
            new IrqRoute.ToChip(PIC_GSI, IrqRoute.Chip.PIC_MASTER, PIC_GSI),
            new IrqRoute.ToMsi(GSI, MSI_ADDRESS, MSI_VECTOR)));

    assertSame(VcpuExit.IO, guest.vcpu.run());
    assertEquals(READY_PORT, guest.run.ioPort());
  }

  @AfterEach
  void close() throws Exception {
    guest.close();
  }

  private void assertInterrupted(int vector) throws Exception {
    assertSame(VcpuExit.IO, guest.vcpu.run());
    assertEquals(0xf0, guest.run.ioPort());
    assertEquals(vector, guest.run.ioData(0));
  }

  /** Nothing more arrives: the next thing to happen is our own kick. */
  private void assertQuiet() throws Exception {
    guest.vcpu.kick();
    assertSame(VcpuExit.INTERRUPTED, guest.vcpu.run());
  }

  @Test
  void anEventFdRaisesItsMsi() throws Exception {
    try (EventFd event = EventFd.create()) {
      guest.vm.addIrqfd(event, GSI);
      for (int i = 0; i < 5; i++) {
        event.signal();
        assertInterrupted(MSI_VECTOR);
      }
      assertQuiet();
      assertEquals(0, event.read(), "KVM takes the signals");

      guest.vm.removeIrqfd(event, GSI);
      event.signal();
      assertQuiet();
      assertEquals(1, event.read(), "and leaves them alone afterwards");
    }
  }

  @Test
  void aSignalGivenBeforeConnectingIsDelivered() throws Exception {
    try (EventFd event = EventFd.create()) {
      event.signal();
      guest.vm.addIrqfd(event, GSI);
      assertInterrupted(MSI_VECTOR);
      assertQuiet();
    }
  }

  @Test
  void msisAreSignalledDirectly() throws Exception {
    assertTrue(guest.vm.signalMsi(MSI_ADDRESS, MSI_VECTOR));
    assertInterrupted(MSI_VECTOR);
    assertFalse(guest.vm.signalMsi(MSI_ADDRESS | 5 << 12, MSI_VECTOR), "no such processor");
    assertQuiet();
    Allocation.assertNone(() -> guest.vm.signalMsi(MSI_ADDRESS, MSI_VECTOR));
  }

  @Test
  void linesReachThe8259() throws Exception {
    for (int i = 0; i < 3; i++) {
      guest.vm.irqLine(PIC_GSI, true);
      assertInterrupted(PIC_VECTOR);
      guest.vm.irqLine(PIC_GSI, false);
      assertQuiet();
    }
  }

  @Test
  void acknowledgementsAreReported() throws Exception {
    try (EventFd event = EventFd.create();
        EventFd resample = EventFd.create()) {
      guest.vm.addIrqfd(event, resample, PIC_GSI);
      for (int i = 0; i < 3; i++) {
        event.signal();
        assertInterrupted(PIC_VECTOR);
        assertEquals(0, Poll.await(Poll.FOREVER, resample.fd()));
        assertEquals(1, resample.read());
      }
      guest.vm.removeIrqfd(event, PIC_GSI);
    }
  }

  @Test
  void theTimerTicks() throws Exception {
    // Nothing to program: channel 0 of the 8254 is wired to line 0, and a new one is silent.
    guest.vm.createPit2(true);
    guest.vm.setGsiRouting(List.of(new IrqRoute.ToChip(0, IrqRoute.Chip.PIC_MASTER, 0)));
    guest.setVector(0x40, 0x9200);
    guest.load(0x9200, "b0 40 e6 f0 cf");
    // mov al, 0x34; out 0x43, al; mov al, 0xff; out 0x40, al (twice); then sleep again
    guest.load(0x9300, "b0 34 e6 43 b0 ff e6 40 e6 40 fb f4 eb fd");
    guest.vcpu.set(guest.vcpu.regs().set(Regs.Register.RIP, 0x9300));
    for (int i = 0; i < 3; i++) {
      assertInterrupted(0x40);
    }
  }
}
