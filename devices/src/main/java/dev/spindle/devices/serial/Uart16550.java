// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

import dev.spindle.devices.bus.ByteDevice;
import dev.spindle.devices.irq.IrqLine;
import java.util.concurrent.TimeUnit;

/**
 * A 16550A UART as PCs have it, eight byte-wide registers (National Semiconductor PC16550D).
 *
 * <p>There is no line behind it, so no speed: a byte is sent as soon as it is written, and received
 * as soon as there is room in the FIFO. While the host does not take output, the transmitter shows
 * as busy, which drivers wait for.
 *
 * <p>vCPU threads and the host's threads may call at once; one lock orders them.
 */
public final class Uart16550 implements ByteDevice {
  // Registers.
  private static final int DATA = 0; // divisor latch low with LCR_DLAB
  private static final int IER = 1; // divisor latch high with LCR_DLAB
  private static final int IIR = 2; // FCR when written
  private static final int LCR = 3;
  private static final int MCR = 4;
  private static final int LSR = 5;
  private static final int MSR = 6;
  private static final int SCRATCH = 7;

  private static final int IER_RECEIVED = 0x01;
  private static final int IER_TRANSMITTER = 0x02;
  private static final int IER_LINE_STATUS = 0x04;
  private static final int IER_MODEM_STATUS = 0x08;
  private static final int IER_WRITABLE = 0x0F;

  private static final int IIR_MODEM_STATUS = 0x00;
  private static final int IIR_NONE = 0x01;
  private static final int IIR_TRANSMITTER = 0x02;
  private static final int IIR_RECEIVED = 0x04;
  private static final int IIR_LINE_STATUS = 0x06;
  private static final int IIR_TIMEOUT = 0x0C;
  private static final int IIR_FIFO = 0xC0;

  private static final int FCR_ENABLE = 0x01;
  private static final int FCR_CLEAR_RECEIVER = 0x02;
  private static final int FCR_CLEAR_TRANSMITTER = 0x04;
  private static final int[] TRIGGER_LEVELS = {1, 4, 8, 14}; // by FCR bits 6 and 7

  private static final int LCR_DLAB = 0x80;

  private static final int MCR_DTR = 0x01;
  private static final int MCR_RTS = 0x02;
  private static final int MCR_OUT1 = 0x04;
  private static final int MCR_OUT2 = 0x08;
  private static final int MCR_LOOP = 0x10;
  private static final int MCR_WRITABLE = 0x1F;

  private static final int LSR_DATA_READY = 0x01;
  private static final int LSR_OVERRUN = 0x02;
  private static final int LSR_TRANSMITTER_EMPTY = 0x60; // holding register and shift register

  private static final int MSR_CTS = 0x10;
  private static final int MSR_DSR = 0x20;
  private static final int MSR_RI = 0x40;
  private static final int MSR_DCD = 0x80;
  private static final int MSR_DELTA_CTS = 0x01;
  private static final int MSR_DELTA_DSR = 0x02;
  private static final int MSR_RI_ENDED = 0x04;
  private static final int MSR_DELTA_DCD = 0x08;
  private static final int MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

  private static final int FIFO = 16;
  private static final int HOST_BUFFER = 4096;

  private final IrqLine irq;
  private final SerialSink sink;

  // All with this object's lock:
  private final ByteRing fromHost = new ByteRing(HOST_BUFFER);
  private final ByteRing received = new ByteRing(FIFO);
  private final ByteRing transmit = new ByteRing(FIFO); // what the sink had no room for
  private int divisor;
  private int ier;
  private int fcr;
  private int lcr;
  private int mcr;
  private int msr;
  private int scratch;
  private boolean overrun;
  private boolean transmitterInterrupt; // the transmitter ran empty and nobody was told yet
  private boolean level;

  /**
   * @param irq the port's interrupt, edge-triggered on a PC's first four ports
   * @param sink where output goes; this port becomes the one it tells about room
   */
  public Uart16550(IrqLine irq, SerialSink sink) {
    this.irq = irq;
    this.sink = sink;
    reset();
    sink.onRoom(this::transmit);
  }

  /** Goes back to the state after power-on. Input the guest has not read stays with the host. */
  public synchronized void reset() {
    divisor = 12; // 9600 baud
    ier = 0;
    fcr = 0;
    lcr = 0;
    mcr = 0;
    msr = MSR_CONNECTED;
    scratch = 0;
    received.clear();
    transmit.clear();
    overrun = false;
    transmitterInterrupt = false;
    update();
  }

  // ---- The host's side -----------------------------------------------------------------------

  /**
   * Gives input to the guest, as much as there is room for: the guest's FIFO and 4 KiB behind it.
   * Any thread; does not block.
   *
   * @return how many bytes were taken, 0 to {@code length}
   */
  public synchronized int receive(byte[] bytes, int offset, int length) {
    int taken = Math.min(length, fromHost.room());
    for (int i = 0; i < taken; i++) {
      fromHost.put(bytes[offset + i]);
    }
    update();
    return taken;
  }

  /**
   * Waits until {@link #receive} has room for a byte at least. Any thread but a vCPU's.
   *
   * @param timeoutMillis how long at most, milliseconds
   * @return false if there was no room in all that time
   */
  public synchronized boolean awaitRoom(long timeoutMillis) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    while (fromHost.room() == 0) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
    return true;
  }

  // ---- The guest's side ----------------------------------------------------------------------

  @Override
  public synchronized int readByte(long offset) {
    if (offset < 0 || offset > SCRATCH) {
      return 0xFF;
    }
    boolean dlab = (lcr & LCR_DLAB) != 0;
    return switch ((int) offset) {
      case DATA -> dlab ? divisor & 0xFF : readData();
      case IER -> dlab ? divisor >>> 8 : ier;
      case IIR -> readIir();
      case LCR -> lcr;
      case MCR -> mcr;
      case LSR -> readLsr();
      case MSR -> readMsr();
      default -> scratch;
    };
  }

  @Override
  public synchronized void writeByte(long offset, int value) {
    if (offset < 0 || offset > SCRATCH) {
      return;
    }
    boolean dlab = (lcr & LCR_DLAB) != 0;
    switch ((int) offset) {
      case DATA -> {
        if (dlab) {
          divisor = (divisor & 0xFF00) | value;
        } else {
          writeData((byte) value);
        }
      }
      case IER -> {
        if (dlab) {
          divisor = (divisor & 0xFF) | (value << 8);
        } else {
          writeIer(value);
        }
      }
      case IIR -> writeFcr(value);
      case LCR -> lcr = value;
      case MCR -> writeMcr(value);
      case SCRATCH -> scratch = value;
      default -> {} // LSR and MSR are read-only
    }
    update();
  }

  private int readData() {
    int value = received.isEmpty() ? 0 : received.take() & 0xFF;
    update();
    return value;
  }

  private int readIir() {
    int interrupt = pendingInterrupt();
    if (interrupt == IIR_TRANSMITTER) {
      transmitterInterrupt = false;
      update();
    }
    return interrupt | (isFifo() ? IIR_FIFO : 0);
  }

  private int readLsr() {
    int value =
        (received.isEmpty() ? 0 : LSR_DATA_READY)
            | (overrun ? LSR_OVERRUN : 0)
            | (transmit.isEmpty() ? LSR_TRANSMITTER_EMPTY : 0);
    overrun = false;
    update();
    return value;
  }

  private int readMsr() {
    int value = msr;
    msr &= 0xF0;
    update();
    return value;
  }

  private void writeData(byte value) {
    transmitterInterrupt = false;
    update(); // so that the line has an edge if the transmitter is empty again at once
    if (isLoop()) {
      if (received.size() < capacity()) {
        received.put(value);
      } else {
        overrun = true;
      }
      transmitterInterrupt = true;
    } else if (transmit.isEmpty() && sink.offer(value)) {
      transmitterInterrupt = true;
    } else if (transmit.size() < capacity()) {
      transmit.put(value);
    }
  }

  /** Passes on what the sink had no room for, now that it has. */
  private synchronized void transmit() {
    while (!transmit.isEmpty() && sink.offer(transmit.peek())) {
      transmit.take();
      transmitterInterrupt = transmit.isEmpty();
    }
    update();
  }

  private void writeIer(int value) {
    boolean wasEnabled = (ier & IER_TRANSMITTER) != 0;
    ier = value & IER_WRITABLE;
    if (!wasEnabled && (ier & IER_TRANSMITTER) != 0 && transmit.isEmpty()) {
      transmitterInterrupt = true;
    }
  }

  private void writeFcr(int value) {
    boolean toggled = ((value ^ fcr) & FCR_ENABLE) != 0;
    boolean enabled = (value & FCR_ENABLE) != 0;
    if (toggled || (enabled && (value & FCR_CLEAR_RECEIVER) != 0)) {
      received.clear();
    }
    if (toggled || (enabled && (value & FCR_CLEAR_TRANSMITTER) != 0)) {
      transmitterInterrupt |= !transmit.isEmpty();
      transmit.clear();
    }
    fcr = enabled ? value : 0;
  }

  private void writeMcr(int value) {
    mcr = value & MCR_WRITABLE;
    int inputs = MSR_CONNECTED;
    if (isLoop()) {
      inputs =
          ((mcr & MCR_RTS) != 0 ? MSR_CTS : 0)
              | ((mcr & MCR_DTR) != 0 ? MSR_DSR : 0)
              | ((mcr & MCR_OUT1) != 0 ? MSR_RI : 0)
              | ((mcr & MCR_OUT2) != 0 ? MSR_DCD : 0);
    }
    int changed = inputs ^ msr;
    msr =
        inputs
            | (msr & 0x0F)
            | ((changed & MSR_CTS) != 0 ? MSR_DELTA_CTS : 0)
            | ((changed & MSR_DSR) != 0 ? MSR_DELTA_DSR : 0)
            | ((changed & MSR_RI) != 0 && (inputs & MSR_RI) == 0 ? MSR_RI_ENDED : 0)
            | ((changed & MSR_DCD) != 0 ? MSR_DELTA_DCD : 0);
  }

  private boolean isLoop() {
    return (mcr & MCR_LOOP) != 0;
  }

  private boolean isFifo() {
    return (fcr & FCR_ENABLE) != 0;
  }

  private int capacity() {
    return isFifo() ? FIFO : 1;
  }

  /** The most urgent interrupt (PC16550D, table IV), which need not be one the line is let out. */
  private int pendingInterrupt() {
    if ((ier & IER_LINE_STATUS) != 0 && overrun) {
      return IIR_LINE_STATUS;
    }
    if ((ier & IER_RECEIVED) != 0 && !received.isEmpty()) {
      // Below the trigger level the hardware waits for four characters' time; here that is over.
      boolean triggered = !isFifo() || received.size() >= TRIGGER_LEVELS[fcr >>> 6];
      return triggered ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if ((ier & IER_TRANSMITTER) != 0 && transmitterInterrupt) {
      return IIR_TRANSMITTER;
    }
    if ((ier & IER_MODEM_STATUS) != 0 && (msr & 0x0F) != 0) {
      return IIR_MODEM_STATUS;
    }
    return IIR_NONE;
  }

  /** Moves input up and drives the interrupt line. PCs wire it through OUT2. */
  private void update() {
    while (!isLoop() && !fromHost.isEmpty() && received.size() < capacity()) {
      received.put(fromHost.take());
      notifyAll();
    }
    boolean now = pendingInterrupt() != IIR_NONE && (mcr & MCR_OUT2) != 0 && !isLoop();
    if (now != level) {
      level = now;
      irq.set(now);
    }
  }
}
