// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.serial;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class StreamSinkTest {
  /** A terminal somebody has stopped: writes wait until it is let go. */
  private static final class StoppedTerminal extends OutputStream {
    final CountDownLatch reached = new CountDownLatch(1);
    final CountDownLatch go = new CountDownLatch(1);
    final ByteArrayOutputStream shown = new ByteArrayOutputStream();

    @Override
    public void write(int b) {
      throw new AssertionError("byte by byte");
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      reached.countDown();
      try {
        go.await();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      shown.write(bytes, offset, length);
    }
  }

  @Test
  void everythingOfferedIsWrittenInOrder() throws InterruptedException {
    byte[] text = new byte[300_000];
    new Random(1).nextBytes(text);
    ByteArrayOutputStream stream = new ByteArrayOutputStream();
    Semaphore room = new Semaphore(0);
    try (StreamSink sink = new StreamSink("serial0", stream)) {
      sink.onRoom(room::release);
      for (byte b : text) {
        while (!sink.offer(b)) {
          room.acquire();
        }
      }
    }
    assertArrayEquals(text, stream.toByteArray());
  }

  @Test
  void aStoppedTerminalRefusesAndSaysWhenThereIsRoom() throws InterruptedException {
    StoppedTerminal terminal = new StoppedTerminal();
    Semaphore room = new Semaphore(0);
    int taken = 0;
    try (StreamSink sink = new StreamSink("serial0", terminal)) {
      sink.onRoom(room::release);
      assertTrue(sink.offer((byte) 'x'));
      terminal.reached.await(); // it has the x and is stuck with it
      while (sink.offer((byte) 'y')) {
        taken++;
      }
      assertFalse(sink.offer((byte) 'z'));
      assertEquals(0, room.availablePermits());
      terminal.go.countDown();
      room.acquire();
      assertTrue(sink.offer((byte) 'z'));
    }
    String shown = terminal.shown.toString(US_ASCII);
    assertEquals("x" + "y".repeat(taken) + "z", shown);
    assertEquals(64 << 10, taken);
    assertEquals(0, room.availablePermits(), "told once");
  }

  @Test
  void aBrokenStreamSwallowsEverything() throws InterruptedException {
    StoppedTerminal terminal = new StoppedTerminal();
    OutputStream broken =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("Broken pipe");
          }

          @Override
          public void write(byte[] bytes, int offset, int length) throws IOException {
            terminal.write(bytes, offset, length);
            throw new IOException("Broken pipe");
          }
        };
    Semaphore room = new Semaphore(0);
    try (StreamSink sink = new StreamSink("serial0", broken)) {
      sink.onRoom(room::release);
      sink.offer((byte) 'x');
      terminal.reached.await();
      while (sink.offer((byte) 'y')) {
        // until it is full
      }
      terminal.go.countDown();
      room.acquire();
      for (int i = 0; i < 1 << 20; i++) {
        assertTrue(sink.offer((byte) 'z'));
      }
    }
    assertEquals("x", terminal.shown.toString(US_ASCII));
  }
}
