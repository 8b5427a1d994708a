// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.kvm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.Allocation;
import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Signals;
import dev.spindle.linux.kvm.Regs.Register;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a vCPU does with a few hand-written instructions, on any KVM that opens. */
@Timeout(120)
abstract class VcpuContract {
  private static final String HLT = "f4";
  private static final String SPIN = "eb fe";

  @Test
  void portsAreReadAndWritten() throws Exception {
    try (TestGuest guest =
        TestGuest.plain(
            "ba f8 03", // mov dx, 0x3f8
            "b0 42 ee", // mov al, 0x42; out dx, al
            "ed 40 ef", // in ax, dx; inc ax; out dx, ax
            HLT)) {
      KvmRun run = guest.run;
      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertTrue(run.ioIsWrite());
      assertEquals(0x3f8, run.ioPort());
      assertEquals(1, run.ioSize());
      assertEquals(1, run.ioCount());
      assertEquals(0x42, run.ioData(0));

      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertFalse(run.ioIsWrite());
      assertEquals(2, run.ioSize());
      run.setIoData(0, 0xfff0);

      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertEquals(0xfff1, run.ioData(0));
      assertThrows(IndexOutOfBoundsException.class, () -> run.ioData(1));
      assertSame(VcpuExit.HLT, guest.vcpu.run());
      assertEquals(0xfff1, guest.vcpu.regs().get(Register.RAX) & 0xffff);
    }
  }

  @Test
  void stringInstructionsMoveSeveralItems() throws Exception {
    try (TestGuest guest =
        TestGuest.plain(
            "fc be 00 90 b9 05 00", // cld; mov si, 0x9000; mov cx, 5
            "ba f8 03 f3 6e", // mov dx, 0x3f8; rep outsb
            "bf 00 a0 b9 03 00 f3 6d", // mov di, 0xa000; mov cx, 3; rep insw
            HLT)) {
      guest.load(0x9000, "68 65 6c 6c 6f");
      StringBuilder written = new StringBuilder();
      int given = 0;
      while (guest.vcpu.run() == VcpuExit.IO) {
        for (int i = 0; i < guest.run.ioCount(); i++) {
          if (guest.run.ioIsWrite()) {
            written.append((char) guest.run.ioData(i));
          } else {
            guest.run.setIoData(i, 0x1111 * ++given);
          }
        }
      }
      assertEquals("hello", written.toString());
      assertEquals(VcpuExit.HLT.number(), guest.run.exitReason());
      // One more may have been fetched than the guest wanted, never one less.
      assertTrue(given >= 3, "given " + given);
      assertEquals(0x11, guest.byteAt(0xa000));
      assertEquals(0x22, guest.byteAt(0xa003));
      assertEquals(0x33, guest.byteAt(0xa005));
    }
  }

  @Test
  void memoryOutsideEverySlotIsMmio() throws Exception {
    try (TestGuest guest =
        TestGuest.plain(
            "b8 00 a0 8e d8", // mov ax, 0xa000; mov ds, ax
            "c6 06 10 00 5a", // mov byte [0x10], 0x5a
            "66 c7 06 14 00 78 56 34 12", // mov dword [0x14], 0x12345678
            "a1 20 00", // mov ax, [0x20]
            "ba f8 03 ef", // mov dx, 0x3f8; out dx, ax
            HLT)) {
      KvmRun run = guest.run;
      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertTrue(run.mmioIsWrite());
      assertEquals(0xa0010, run.mmioAddress());
      assertEquals(1, run.mmioLength());
      assertEquals(0x5a, run.mmioData());

      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertEquals(0xa0014, run.mmioAddress());
      assertEquals(4, run.mmioLength());
      assertEquals(0x1234_5678, run.mmioData());

      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertFalse(run.mmioIsWrite());
      assertEquals(0xa0020, run.mmioAddress());
      assertEquals(2, run.mmioLength());
      run.setMmioData(0xbeef);

      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertEquals(0xbeef, run.ioData(0));
    }
  }

  @Test
  void ioEventFdsSwallowTheirWrites() throws Exception {
    try (EventFd anyValue = EventFd.create();
        EventFd sevens = EventFd.create();
        EventFd memory = EventFd.create();
        TestGuest guest =
            TestGuest.plain(
                "ba 00 05 b0 01 ee", // mov dx, 0x500; mov al, 1; out dx, al
                "ba 01 05 b0 06 ee b0 07 ee", // mov dx, 0x501; out 6; out 7
                "b8 00 a0 8e d8", // mov ax, 0xa000; mov ds, ax
                "c7 06 10 00 34 12", // mov word [0x10], 0x1234
                "c6 06 20 00 01", // mov byte [0x20], 1
                "eb df")) { // again from the start
      guest.vm.addIoEventFd(IoSpace.PIO, 0x500, 1, anyValue);
      guest.vm.addIoEventFd(IoSpace.PIO, 0x501, 1, sevens, 7);
      guest.vm.addIoEventFd(IoSpace.MMIO, 0xa0010, 2, memory);
      guest.vm.addIoEventFd(IoSpace.MMIO, 0xa0020, 0, memory);
      for (int round = 1; round <= 3; round++) {
        assertSame(VcpuExit.IO, guest.vcpu.run());
        assertEquals(0x501, guest.run.ioPort());
        assertEquals(6, guest.run.ioData(0), "only the value that does not match gets out");
        assertEquals(1, anyValue.read());
        assertEquals(round == 1 ? 0 : 1, sevens.read());
        assertEquals(round == 1 ? 0 : 2, memory.read());
      }
      guest.vm.removeIoEventFd(IoSpace.PIO, 0x500, 1, anyValue);
      guest.vm.removeIoEventFd(IoSpace.PIO, 0x501, 1, sevens, 7);
      guest.vm.removeIoEventFd(IoSpace.MMIO, 0xa0010, 2, memory);
      guest.vm.removeIoEventFd(IoSpace.MMIO, 0xa0020, 0, memory);
      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertEquals(7, guest.run.ioData(0));
      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertSame(VcpuExit.IO, guest.vcpu.run());
      assertEquals(0x500, guest.run.ioPort());
      assertEquals(0, anyValue.read() + sevens.read() + memory.read());

      LinuxException e =
          assertThrows(
              LinuxException.class,
              () -> guest.vm.removeIoEventFd(IoSpace.PIO, 0x500, 1, anyValue));
      assertEquals("KVM_IOEVENTFD", e.call());
      assertEquals(Errno.ENOENT, e.errno());
    }
  }

  @Test
  void everyKickOfASpinningVcpuArrives() throws Exception {
    try (TestGuest guest = TestGuest.plain(SPIN)) {
      Semaphore interrupted = new Semaphore(0);
      Stop stop = new Stop();
      FutureTask<Integer> loop =
          new FutureTask<>(
              () -> {
                guest.vcpu.attach();
                assertTrue(Signals.isBlocked(Signals.KICK));
                while (!stop.requested) {
                  assertSame(VcpuExit.INTERRUPTED, guest.vcpu.run());
                  interrupted.release();
                }
                int left = Signals.consumePending(Signals.KICK);
                guest.vcpu.detach();
                return left;
              });
      Thread.ofPlatform().start(loop);
      for (int i = 0; i < 500; i++) {
        guest.vcpu.kick();
        interrupted.acquire();
        // A kick that came while the last was handled may interrupt twice; that is allowed.
        interrupted.drainPermits();
      }
      stop.requested = true;
      guest.vcpu.kick();
      assertTrue(loop.get() <= 1, "kicks are used up by what they interrupt");
    }
  }

  private static final class Stop {
    volatile boolean requested;
  }

  @Test
  void aKickBeforeRunStopsItBeforeTheFirstInstruction() throws Exception {
    try (TestGuest guest = TestGuest.plain("40", HLT)) { // inc ax
      guest.vcpu.kick();
      guest.vcpu.kick();
      assertSame(VcpuExit.INTERRUPTED, guest.vcpu.run());
      assertEquals(TestGuest.CODE, guest.vcpu.regs().get(Register.RIP));
      assertSame(VcpuExit.HLT, guest.vcpu.run());
      assertEquals(1, guest.vcpu.regs().get(Register.RAX));
    }
  }

  @Test
  void aKickWakesAProcessorThatWaitsForItsStart() throws Exception {
    try (TestGuest guest = TestGuest.withIrqchip(HLT);
        Vcpu second = guest.vm.createVcpu(1)) {
      assertSame(MpState.UNINITIALIZED, second.mpState());
      FutureTask<VcpuExit> waits =
          new FutureTask<>(
              () -> {
                second.attach();
                VcpuExit exit = second.run();
                second.detach();
                return exit;
              });
      Thread.ofPlatform().start(waits);
      second.kick();
      assertSame(VcpuExit.INTERRUPTED, waits.get());
      assertSame(MpState.UNINITIALIZED, second.mpState());
    }
  }

  @Test
  void virtualThreadsCannotOwnAVcpu() throws Exception {
    try (TestGuest guest = TestGuest.plain(HLT)) {
      FutureTask<IllegalStateException> refused =
          new FutureTask<>(
              () -> assertThrows(IllegalStateException.class, () -> guest.vcpu.attach()));
      Thread.ofVirtual().start(refused);
      assertEquals("a vCPU needs a platform thread", refused.get().getMessage());
    }
  }

  @Test
  void runningAllocatesNothing() throws Exception {
    try (TestGuest guest = TestGuest.plain("ee eb fd")) { // out dx, al; jmp to it
      Allocation.assertNone(
          () -> {
            guest.vcpu.run();
            if (guest.run.ioIsWrite()) {
              guest.run.ioData(0);
            }
          });
      Allocation.assertNone(
          () -> {
            guest.vcpu.kick();
            guest.vcpu.run();
          });
    }
  }

  @Test
  void interruptsAreRaisedWithoutAllocation() throws Exception {
    try (TestGuest guest = TestGuest.withIrqchip(HLT)) {
      Allocation.assertNone(
          () -> {
            guest.vm.irqLine(4, true);
            guest.vm.irqLine(4, false);
          });
    }
  }

  @Test
  void writtenPagesAreLogged() throws Exception {
    // KVM may log more than was written (the code's page, say), never less.
    try (TestGuest guest =
            TestGuest.plain(
                "c6 06 00 90 01", // mov byte [0x9000], 1
                HLT,
                "c6 06 00 a0 01",
                HLT);
        Arena arena = Arena.ofConfined()) {
      MemorySegment memory = guest.memory.segment();
      guest.vm.setUserMemoryRegion(0, Vm.LOG_DIRTY_PAGES, 0, memory);
      MemorySegment bitmap = arena.allocate(ValueLayout.JAVA_LONG);
      guest.vcpu.run();
      guest.vm.getDirtyLog(0, bitmap);
      assertEquals(1L << 9, bitmap.get(ValueLayout.JAVA_LONG, 0) & 3L << 9);
      guest.vcpu.run();
      guest.vm.getDirtyLog(0, bitmap);
      assertEquals(1L << 10, bitmap.get(ValueLayout.JAVA_LONG, 0) & 3L << 9);
      assertThrows(
          IllegalArgumentException.class, () -> guest.vm.getDirtyLog(0, arena.allocate(4)));
    }
  }

  @Test
  void readOnlySlotsTurnWritesIntoExits() throws Exception {
    try (TestGuest guest = TestGuest.plain("c6 06 00 90 01", HLT)) {
      guest.vm.removeUserMemoryRegion(0);
      guest.vm.setUserMemoryRegion(0, Vm.READ_ONLY, 0, guest.memory.segment());
      assertSame(VcpuExit.MMIO, guest.vcpu.run());
      assertTrue(guest.run.mmioIsWrite());
      assertEquals(0x9000, guest.run.mmioAddress());
      assertEquals(0, guest.byteAt(0x9000));
    }
  }
}
