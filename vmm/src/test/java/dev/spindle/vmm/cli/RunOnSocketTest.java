// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A machine that waits for somebody to connect to its serial port, in a process of its own, on
 * whatever KVM there is.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RunOnSocketTest {
  @TempDir private Path folder;
  private Path socket;
  private Process spindle;

  @BeforeAll
  static void kvmIsHere() {
    RunOnAnyKvm.assumeKvm();
  }

  @BeforeEach
  void start() throws Exception {
    socket = folder.resolve("socket");
    Path kernel = EchoGuest.code().write(folder.resolve("kernel"));
    spindle =
        SpindleProcess.prepareTestMain(
                folder,
                RunOnAnyKvm.class,
                "--kernel",
                kernel.toString(),
                "--serial",
                "unix:socket,server=on")
            .redirectErrorStream(true)
            .start();
  }

  private void awaitItsWaiting() throws Exception {
    String waits = spindle.inputReader(UTF_8).readLine();
    assertTrue(waits.endsWith("serial0 waits for a connection to socket"), waits);
  }

  @AfterEach
  void end() {
    spindle.destroyForcibly();
  }

  private SocketChannel peer() throws Exception {
    return SocketChannel.open(UnixDomainSocketAddress.of(socket));
  }

  private static void assertAnswer(SocketChannel peer, String expected) throws Exception {
    ByteBuffer answer = ByteBuffer.allocate(expected.length());
    while (answer.hasRemaining() && peer.read(answer) >= 0) {}
    assertEquals(expected, new String(answer.array(), 0, answer.position(), UTF_8));
  }

  private void assertEnd(int status) throws Exception {
    assertEquals("", spindle.inputReader(UTF_8).lines().reduce("", String::concat));
    assertEquals(status, spindle.waitFor());
    assertFalse(Files.exists(socket), "nothing stays behind");
  }

  @Test
  void theFirstPeerSeesTheGuestFromItsStartAndTheNextOneGoesOn() throws Exception {
    awaitItsWaiting();
    try (SocketChannel first = peer()) {
      assertAnswer(first, ">");
      first.write(ByteBuffer.wrap("a".getBytes(UTF_8)));
      assertAnswer(first, "a");
    }
    try (SocketChannel second = peer()) {
      second.write(ByteBuffer.wrap("bq".getBytes(UTF_8)));
      assertAnswer(second, "bq");
      assertEnd(0);
    }
  }

  @Test
  void aSignalEndsTheWait() throws Exception {
    awaitItsWaiting();
    spindle.toHandle().destroy();
    assertEnd(143);
  }

  @Test
  void aSignalEndsAMachineThatIsBeingMade() throws Exception {
    while (!Files.exists(socket)) {
      Thread.onSpinWait();
    }
    spindle.toHandle().destroy();
    assertEquals(143, spindle.waitFor());
    assertFalse(Files.exists(socket), "nothing stays behind");
  }
}
