// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.serial.Uart16550;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A serial port on a Unix socket, with this test as the guest and as the peers. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SocketChardevTest {
  private static final int DATA = 0;
  private static final int LINE_STATUS = 5;
  private static final int DATA_READY = 0x01;
  private static final int TRANSMITTER_EMPTY = 0x20;

  @TempDir private Path folder;
  private Path path;

  @BeforeEach
  void choosePath() {
    path = folder.resolve("socket");
  }

  private static Uart16550 connect(Chardev chardev) throws IOException {
    Uart16550 port = new Uart16550(level -> {}, chardev.sink());
    chardev.connect(port);
    return port;
  }

  private SocketChannel peer() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(path));
  }

  private static void send(SocketChannel peer, String text) throws IOException {
    peer.write(ByteBuffer.wrap(text.getBytes(UTF_8)));
  }

  private static String receive(SocketChannel peer, int length) throws IOException {
    ByteBuffer received = ByteBuffer.allocate(length);
    while (received.hasRemaining() && peer.read(received) >= 0) {}
    return new String(received.array(), 0, received.position(), UTF_8);
  }

  private static String guestReads(Uart16550 port, int length) {
    StringBuilder text = new StringBuilder();
    while (text.length() < length) {
      if ((port.readByte(LINE_STATUS) & DATA_READY) != 0) {
        text.append((char) port.readByte(DATA));
      } else {
        Thread.onSpinWait();
      }
    }
    return text.toString();
  }

  private static void awaitTransmitter(Uart16550 port) {
    while ((port.readByte(LINE_STATUS) & TRANSMITTER_EMPTY) == 0) {
      Thread.onSpinWait();
    }
  }

  private static void guestWrites(Uart16550 port, String text) {
    for (byte value : text.getBytes(UTF_8)) {
      port.writeByte(DATA, value);
    }
  }

  @Test
  void peersComeAndGo() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      assertTrue(chardev.ready().isDone());
      Uart16550 port = connect(chardev);
      for (String name : new String[] {"first", "second", "third"}) {
        try (SocketChannel peer = peer()) {
          send(peer, name);
          assertEquals(name, guestReads(port, name.length()));
          guestWrites(port, "hello " + name);
          assertEquals("hello " + name, receive(peer, name.length() + 6));
        }
      }
    }
  }

  @Test
  void withoutAPeerOutputIsDropped() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      // More than can be buffered anywhere.
      for (int i = 0; i < 300_000; i++) {
        awaitTransmitter(port);
        port.writeByte(DATA, 'y');
      }
    }
  }

  @Test
  void thePeersEndOfInputIsNotLost() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      try (SocketChannel peer = peer()) {
        send(peer, "last words");
      }
      assertEquals("last words", guestReads(port, 10));
    }
  }

  @Test
  void aPeerThatDoesNotReadHoldsOutputBackButNotTheGuest() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      try (SocketChannel peer = peer()) {
        send(peer, "x");
        guestReads(port, 1);
        ByteArrayOutputStream sent = new ByteArrayOutputStream();
        // Until the socket, the sink and the port are full, and the thread in between is stuck.
        for (int idle = 0; idle < 1_000_000; idle++) {
          if ((port.readByte(LINE_STATUS) & TRANSMITTER_EMPTY) != 0) {
            port.writeByte(DATA, sent.size() % 251);
            sent.write(sent.size() % 251);
            idle = 0;
          }
        }
        ByteBuffer received = ByteBuffer.allocate(sent.size());
        while (received.hasRemaining() && peer.read(received) >= 0) {}
        assertArrayEquals(sent.toByteArray(), received.array());
        guestWrites(port, "on it goes");
        assertEquals("on it goes", receive(peer, 10));
      }
    }
  }

  @Test
  void aGuestGoesOnWhenAPeerThatDidNotReadIsGone() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      try (SocketChannel peer = peer()) {
        send(peer, "x");
        guestReads(port, 1);
        while ((port.readByte(LINE_STATUS) & TRANSMITTER_EMPTY) != 0) {
          port.writeByte(DATA, 'y');
        }
      }
      awaitTransmitter(port);
      try (SocketChannel peer = peer()) {
        send(peer, "z");
        assertEquals("z", guestReads(port, 1));
        guestWrites(port, "!");
        assertTrue(receive(peer, 1).matches("[y!]"));
      }
    }
  }

  /**
   * The guest reads nothing, and more is left for it than there is room between it and the peer.
   */
  @Test
  void aPeerThatLeavesUnreadInputMakesWayForTheNext() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      try (SocketChannel peer = peer()) {
        send(peer, "x".repeat(20_000));
      }
      try (SocketChannel peer = peer()) {
        // Goes nowhere until the port has a new peer, and then to that one.
        ByteBuffer received = ByteBuffer.allocate(1);
        Thread writer =
            Thread.ofPlatform()
                .start(
                    () -> {
                      while (!Thread.interrupted()) {
                        guestWrites(port, "!");
                      }
                    });
        while (received.hasRemaining() && peer.read(received) >= 0) {}
        writer.interrupt();
        writer.join();
        assertEquals('!', received.get(0));
        assertEquals("xx", guestReads(port, 2), "what had arrived is kept");
      }
    }
  }

  @Test
  void aPeerThatOnlyStopsSendingStays() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, false)) {
      Uart16550 port = connect(chardev);
      try (SocketChannel peer = peer()) {
        send(peer, "x".repeat(20_000));
        peer.shutdownOutput();
        assertEquals(20_000, guestReads(port, 20_000).length());
      }
    }
  }

  /** Whenever a peer arrives, closing the port ends its connection. */
  @Test
  void closingLeavesNoPeerBehind() throws Exception {
    for (int round = 0; round < 300; round++) {
      SocketChardev chardev = SocketChardev.listenAt("serial0", path, false);
      connect(chardev);
      Thread closer = Thread.ofPlatform().start(chardev::close);
      try (SocketChannel peer = peer()) {
        receive(peer, 1);
      } catch (IOException e) {
        assertFalse(e.getMessage().isEmpty(), "too late, which is as good");
      }
      closer.join();
    }
  }

  @Test
  void whoMayConnectIsForTheUmaskToSay() throws Exception {
    Set<PosixFilePermission> execute =
        EnumSet.of(
            PosixFilePermission.OWNER_EXECUTE,
            PosixFilePermission.GROUP_EXECUTE,
            PosixFilePermission.OTHERS_EXECUTE);
    Set<PosixFilePermission> expected =
        Files.getPosixFilePermissions(Files.write(folder.resolve("file"), new byte[0]));
    SocketChardev chardev = SocketChardev.listenAt("serial0", path, false);
    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(path);
    permissions.removeAll(execute);
    assertEquals(expected, permissions);
    chardev.close();
    assertFalse(Files.exists(path), "nothing stays behind");
  }

  @Test
  void itIsReadyWhenTheFirstPeerIsThere() throws Exception {
    try (SocketChardev chardev = SocketChardev.listenAt("serial0", path, true)) {
      connect(chardev);
      assertFalse(chardev.ready().isDone());
      try (SocketChannel peer = peer()) {
        chardev.ready().join();
        assertTrue(peer.isConnected());
      }
    }
  }

  @Test
  void aPathThatIsTakenIsRefused() throws Exception {
    Files.writeString(path, "mine");
    IOException refusal =
        assertThrows(IOException.class, () -> SocketChardev.listenAt("serial0", path, false));
    assertEquals(
        "--serial unix: cannot listen at '" + path + "': something is there that is no socket",
        refusal.getMessage());
    assertEquals("mine", Files.readString(path));
  }

  @Test
  void aClientTalksToWhoeverListens() throws Exception {
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(path));
      try (SocketChardev chardev = SocketChardev.connectTo("serial0", path);
          SocketChannel peer = server.accept()) {
        Uart16550 port = connect(chardev);
        send(peer, "ping");
        assertEquals("ping", guestReads(port, 4));
        guestWrites(port, "pong");
        assertEquals("pong", receive(peer, 4));
      }
    }
    assertTrue(Files.exists(path), "the path is the server's");
  }

  @Test
  void aClientWithoutAServerIsRefused() {
    IOException refusal =
        assertThrows(IOException.class, () -> SocketChardev.connectTo("serial0", path));
    assertEquals(
        "--serial unix: cannot connect to '" + path + "': No such file or directory",
        refusal.getMessage());
  }
}
