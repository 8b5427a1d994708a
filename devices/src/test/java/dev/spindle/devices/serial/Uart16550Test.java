// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.irq.FakeIrqLine;
import java.io.ByteArrayOutputStream;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The UART as drivers see it; register names are those of Linux' serial_reg.h. */
class Uart16550Test {
  private static final int RX = 0;
  private static final int TX = 0;
  private static final int DLL = 0;
  private static final int IER = 1;
  private static final int DLM = 1;
  private static final int IIR = 2;
  private static final int FCR = 2;
  private static final int EFR = 2;
  private static final int LCR = 3;
  private static final int MCR = 4;
  private static final int LSR = 5;
  private static final int MSR = 6;
  private static final int SCR = 7;

  private static final int IER_RDI = 1;
  private static final int IER_THRI = 2;
  private static final int IER_RLSI = 4;
  private static final int IER_MSI = 8;
  private static final int MCR_OUT2 = 8;
  private static final int MCR_LOOP = 0x10;
  private static final int LSR_DR = 1;
  private static final int LSR_OE = 2;
  private static final int LSR_THRE = 0x20;
  private static final int LSR_TEMT = 0x40;

  /** Takes as many bytes as it has been told to. */
  private static final class TestSink implements SerialSink {
    final ByteArrayOutputStream taken = new ByteArrayOutputStream();
    int room = Integer.MAX_VALUE;
    Runnable onRoom;

    @Override
    public boolean offer(byte value) {
      if (room == 0) {
        return false;
      }
      room--;
      taken.write(value);
      return true;
    }

    @Override
    public void onRoom(Runnable action) {
      onRoom = action;
    }

    void makeRoom(int bytes) {
      room = bytes;
      onRoom.run();
    }
  }

  private final FakeIrqLine irq = new FakeIrqLine();
  private final TestSink sink = new TestSink();
  private final Uart16550 uart = new Uart16550(irq, sink);

  private int in(int register) {
    return uart.readByte(register);
  }

  private void out(int register, int value) {
    uart.writeByte(register, value);
  }

  private int type(String text) {
    return uart.receive(text.getBytes(US_ASCII), 0, text.length());
  }

  /** What Linux' autoconfig() and autoconfig_16550a() in 8250_port.c do, check by check. */
  @Test
  void linuxIdentifiesA16550A() {
    // Is there a UART at all?
    final int savedIer = in(IER);
    out(IER, 0);
    assertEquals(0, in(IER) & 0x0F);
    out(IER, 0x0F);
    assertEquals(0x0F, in(IER) & 0x0F);
    out(IER, savedIer);

    // Does loopback work?
    final int savedMcr = in(MCR);
    final int savedLcr = in(LCR);
    out(MCR, MCR_LOOP | 0x0A);
    assertEquals(0x90, in(MSR) & 0xF0);
    out(MCR, savedMcr);

    // Which FIFO does it have?
    out(LCR, 0xBF);
    out(EFR, 0);
    out(LCR, 0);
    out(FCR, 1);
    assertEquals(3, in(IIR) >> 6, "the FIFO of a 16550A");

    // Not an ST16C650V1, nor a 650V2.
    out(LCR, 0x80);
    assertNotEquals(0, in(EFR));
    out(LCR, 0xBF);
    assertNotEquals(0, in(EFR));

    // Not an NS16550A with a second bank.
    out(LCR, 0);
    int status1 = in(MCR);
    out(LCR, 0xE0);
    int status2 = in(2);
    assertEquals(0, (status2 ^ status1) & MCR_LOOP);
    out(LCR, 0);
    out(MCR, status1 ^ MCR_LOOP);
    out(LCR, 0xE0);
    status2 = in(2);
    out(LCR, 0);
    out(MCR, status1);
    assertEquals(0, (status2 ^ status1) & MCR_LOOP);

    // Not a TI16750.
    out(FCR, 1 | 0x20);
    status1 = in(IIR) >> 5;
    out(FCR, 1);
    out(LCR, 0x80);
    out(FCR, 1 | 0x20);
    status2 = in(IIR) >> 5;
    out(FCR, 1);
    out(LCR, 0);
    assertFalse(status1 == 6 && status2 == 7);

    // Not an XScale, which has an enable bit in IER.
    out(IER, in(IER) | 0x40);
    assertEquals(0, in(IER) & 0x40);

    assertEquals(16, fifoSize());
    out(LCR, savedLcr);
    assertFalse(irq.isAsserted());
    assertEquals(0, sink.taken.size(), "nothing went out");
  }

  /** Linux' size_fifo(): how many of 256 bytes come back through the loop. */
  private int fifoSize() {
    out(FCR, 1 | 2 | 4);
    out(MCR, MCR_LOOP);
    out(LCR, 0x80);
    out(DLL, 1);
    out(DLM, 0);
    out(LCR, 3);
    for (int i = 0; i < 256; i++) {
      out(TX, i);
    }
    assertTrue((in(LSR) & LSR_OE) != 0);
    int count = 0;
    while ((in(LSR) & LSR_DR) != 0) {
      assertEquals(count++, in(RX));
    }
    out(FCR, 1);
    out(MCR, 0);
    return count;
  }

  /** Linux' serial8250_do_startup() tests whether THRI reasserts and whether it comes at all. */
  @Test
  void linuxFindsNoTransmitterBugs() {
    out(FCR, 7);
    out(FCR, 0);
    assertNotEquals(0xFF, in(LSR));
    out(MCR, MCR_OUT2);
    for (int i = 0; i < 2; i++) {
      out(IER, IER_THRI);
      assertTrue(irq.isAsserted());
      assertEquals(0x02, in(IIR), "the transmitter is empty");
      assertFalse(irq.isAsserted());
      assertEquals(0x01, in(IIR), "told once");
      out(IER, 0);
    }
    out(IER, IER_THRI);
    int lsr = in(LSR);
    int iir = in(IIR);
    out(IER, 0);
    assertTrue((lsr & LSR_TEMT) != 0 && (iir & 1) == 0, "no UART_BUG_TXEN");
  }

  @Test
  void outputArrivesInOrder() {
    for (byte b : "Hello, world\n".getBytes(US_ASCII)) {
      assertEquals(LSR_THRE | LSR_TEMT, in(LSR));
      out(TX, b);
    }
    assertEquals("Hello, world\n", sink.taken.toString(US_ASCII));
    assertFalse(irq.isAsserted(), "nobody asked for interrupts");
  }

  @Test
  void everyByteWrittenRaisesAnEdge() {
    out(FCR, 1);
    out(MCR, MCR_OUT2);
    out(IER, IER_THRI);
    assertEquals(0xC2, in(IIR));
    irq.takeEdges();
    for (int i = 0; i < 3; i++) {
      out(TX, 'x');
      assertTrue(irq.isAsserted());
      assertEquals(1, irq.takeEdges(), "even for a driver that does not read IIR");
    }
  }

  @Test
  void aFullSinkMakesTheTransmitterBusy() {
    out(FCR, 1);
    out(MCR, MCR_OUT2);
    out(IER, IER_THRI);
    in(IIR);
    sink.room = 2;
    for (int i = 0; i < 25; i++) {
      out(TX, 'a' + i);
    }
    assertEquals("ab", sink.taken.toString(US_ASCII));
    assertEquals(0, in(LSR), "neither register is empty");
    assertFalse(irq.isAsserted());

    sink.makeRoom(10);
    assertEquals("abcdefghijkl", sink.taken.toString(US_ASCII));
    assertEquals(0, in(LSR));
    assertFalse(irq.isAsserted());

    sink.makeRoom(100);
    assertEquals("abcdefghijklmnopqr", sink.taken.toString(US_ASCII), "a FIFO's worth of 16");
    assertEquals(LSR_THRE | LSR_TEMT, in(LSR));
    assertTrue(irq.isAsserted());
    assertEquals(0xC2, in(IIR));
  }

  @Test
  void clearingTheTransmitterForgetsWhatWaits() {
    out(FCR, 1);
    sink.room = 0;
    out(TX, 'a');
    out(FCR, 1 | 4);
    assertEquals(LSR_THRE | LSR_TEMT, in(LSR));
    sink.makeRoom(1);
    assertEquals("", sink.taken.toString(US_ASCII));
  }

  @Test
  void inputFillsTheFifoAndInterrupts() {
    out(FCR, 1 | 0x80); // trigger at 8
    out(MCR, MCR_OUT2);
    out(IER, IER_RDI);
    assertEquals(7, type("1234567"));
    assertTrue(irq.isAsserted());
    assertEquals(0xCC, in(IIR), "a timeout below the trigger level");
    type("8");
    assertEquals(0xC4, in(IIR));
    for (char c : "12345678".toCharArray()) {
      assertEquals(LSR_DR, in(LSR) & LSR_DR);
      assertEquals(c, in(RX));
    }
    assertEquals(0, in(LSR) & LSR_DR);
    assertFalse(irq.isAsserted());
    assertEquals(0xC1, in(IIR));
    assertEquals(0, in(RX), "an empty FIFO");
  }

  @Test
  void inputBeyondTheFifoWaitsWithoutLoss() {
    out(FCR, 1);
    byte[] much = new byte[5000];
    new Random(3).nextBytes(much);
    int given = uart.receive(much, 0, much.length);
    assertTrue(given >= 4096 && given < much.length);
    for (int i = 0; i < much.length; i++) {
      given += uart.receive(much, given, much.length - given);
      assertEquals(LSR_DR, in(LSR) & (LSR_DR | LSR_OE));
      assertEquals(much[i] & 0xFF, in(RX));
    }
    assertEquals(much.length, given);
    assertEquals(0, in(LSR) & LSR_DR);
  }

  @Test
  @Timeout(60)
  void theHostWaitsForRoom() throws InterruptedException {
    byte[] much = new byte[4096];
    int given = 0;
    for (int taken = -1; taken != 0; given += taken) {
      taken = uart.receive(much, 0, much.length);
    }
    assertFalse(uart.awaitRoom(1));
    Thread typist =
        new Thread(
            () -> {
              try {
                assertTrue(uart.awaitRoom(60_000));
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    typist.start();
    while (typist.isAlive() && typist.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    assertTrue(typist.isAlive(), "there is no room");
    while (given > 0) {
      in(RX);
      given--;
    }
    typist.join();
    assertEquals(1, type("x"));
  }

  @Test
  void clearingTheReceiverDropsTheFifoOnly() {
    out(FCR, 1);
    type("0123456789abcdefXYZ");
    out(FCR, 1 | 2);
    assertEquals('X', in(RX));
    out(FCR, 0);
    assertEquals(0, in(LSR) & LSR_DR, "switching the FIFO drops it too");
  }

  @Test
  void withoutFifoThereIsOneByte() {
    out(MCR, MCR_LOOP);
    out(TX, 'a');
    out(TX, 'b');
    assertEquals(LSR_DR | LSR_OE, in(LSR) & 3);
    assertEquals(LSR_DR, in(LSR) & 3, "reading clears the overrun");
    assertEquals('a', in(RX));
    assertEquals(0, in(LSR) & LSR_DR);
    assertEquals(1, in(IIR), "no FIFO bits");
    out(MCR, 0);
    type("cd");
    out(MCR, MCR_LOOP); // what is still with the host stays there
    assertEquals('c', in(RX));
    assertEquals(0, in(LSR) & LSR_DR);
    out(MCR, 0);
    assertEquals('d', in(RX));
  }

  @Test
  void interruptsHaveTheirOrder() {
    out(MCR, MCR_LOOP | MCR_OUT2);
    in(MSR);
    out(IER, IER_RDI | IER_THRI | IER_RLSI | IER_MSI);
    out(TX, 'a');
    out(TX, 'b'); // overrun
    out(MCR, MCR_LOOP | MCR_OUT2 | 2); // CTS changes
    assertFalse(irq.isAsserted(), "a loop keeps interrupts off the wire");
    assertEquals(0x06, in(IIR));
    in(LSR);
    assertEquals(0x04, in(IIR));
    in(RX);
    assertEquals(0x02, in(IIR));
    assertEquals(0x00, in(IIR));
    assertEquals(0x91, in(MSR));
    assertEquals(0x01, in(IIR));
  }

  @Test
  void theModemIsConnectedAndLoopsBack() {
    assertEquals(0xB0, in(MSR));
    out(MCR, MCR_LOOP | 0x05);
    assertEquals(0x60 | 0x09, in(MSR), "DTR and OUT1; CTS and DCD have changed");
    out(MCR, MCR_LOOP);
    assertEquals(0x06, in(MSR), "DSR has changed and RI has ended");
    out(MCR, 0);
    assertEquals(0xBB, in(MSR));
    assertEquals(0xB0, in(MSR));
  }

  @Test
  void out2WiresTheInterrupt() {
    out(IER, IER_THRI);
    assertFalse(irq.isAsserted());
    out(MCR, MCR_OUT2);
    assertTrue(irq.isAsserted());
    out(MCR, 0);
    assertFalse(irq.isAsserted());
  }

  @Test
  void theDivisorIsBehindItsLatch() {
    out(LCR, 0x83);
    assertEquals(12, in(DLL));
    out(DLL, 0x34);
    out(DLM, 0x12);
    out(LCR, 0x03);
    assertEquals(0, in(IER));
    out(SCR, 0xA5);
    out(LCR, 0x83);
    assertEquals(0x34, in(DLL));
    assertEquals(0x12, in(DLM));
    assertEquals(0xA5, in(SCR));
    assertEquals(0, sink.taken.size());
  }

  @Test
  void resetForgetsTheGuestButNotTheHost() {
    out(FCR, 1);
    out(MCR, MCR_OUT2);
    out(IER, IER_RDI | IER_THRI);
    out(LCR, 0x83);
    out(SCR, 9);
    uart.reset();
    assertFalse(irq.isAsserted());
    assertEquals(0, in(IER) | in(LCR) | in(MCR) | in(SCR));
    assertEquals(1, in(IIR));
    assertEquals(1, type("x"));
    assertEquals('x', in(RX));
  }

  @Test
  void anyAccessIsHarmless() {
    Random random = new Random(13);
    for (int i = 0; i < 300_000; i++) {
      long offset = random.nextInt(20) == 0 ? random.nextLong() : random.nextInt(10) - 1;
      int size = 1 << random.nextInt(4);
      switch (random.nextInt(4)) {
        case 0 -> uart.write(offset, size, random.nextLong());
        case 1 -> uart.read(offset, size);
        case 2 -> type("abc");
        default -> sink.makeRoom(random.nextInt(3));
      }
    }
    assertEquals(0xFFFF_FFFFL, uart.read(8, 4));
    assertEquals(0xFF, uart.read(-1, 1));
    assertEquals(0xFF, uart.read(Long.MAX_VALUE, 1));
  }
}
