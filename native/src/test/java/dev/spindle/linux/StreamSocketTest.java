// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.linux.uring.IoUring;
import dev.spindle.linux.uring.SubmissionQueue;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sockets by way of a ring, with the JDK's own sockets at the other end. */
class StreamSocketTest {
  private static final long COOKIE = 7;
  private static final long OTHER = 8;

  @TempDir Path directory;
  private IoUring ring;
  private SubmissionQueue queue;
  private int result;
  private long answered;

  @BeforeEach
  void open() throws Exception {
    ring = IoUring.create(8);
    queue = ring.submission();
  }

  @AfterEach
  void close() {
    ring.close();
  }

  private int await(long cookie) throws LinuxException {
    answered = -1;
    while (answered != cookie) {
      ring.submitAndWait(-1);
      ring.reap(
          (userData, value, more) -> {
            if (userData == cookie) {
              answered = userData;
              result = value;
            }
          });
    }
    return result;
  }

  private StreamSocket accept(StreamSocket listener) throws LinuxException {
    queue.prepAccept(ring.registerFile(listener.fd()), COOKIE);
    return StreamSocket.adopt(Fd.owning(await(COOKIE), listener.fd().name()));
  }

  private static SocketMessage message(Arena arena, String text) {
    MemorySegment bytes = arena.allocateFrom(text, UTF_8);
    IoVector buffers = new IoVector(2);
    buffers.add(bytes, 0, 1);
    buffers.add(bytes, 1, text.length() - 1L);
    return new SocketMessage(buffers);
  }

  @Test
  void speaksTcpWithAClient() throws Exception {
    InetAddress local = InetAddress.getByName("127.0.0.1");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Inet(local, 0), 5);
        Arena arena = Arena.ofConfined()) {
      Endpoint.Inet bound = (Endpoint.Inet) listener.localEndpoint();
      assertEquals(local, bound.address());
      try (Socket client = new Socket(local, bound.port());
          StreamSocket server = accept(listener)) {
        server.setNoDelay();
        assertEquals(new Endpoint.Inet(local, client.getLocalPort()), server.peerEndpoint());
        int file = ring.registerFile(server.fd());
        queue.prepSend(file, message(arena, "hello"), COOKIE);
        assertEquals(5, await(COOKIE));
        InputStream in = client.getInputStream();
        assertEquals("hello", new String(in.readNBytes(5), UTF_8));

        OutputStream out = client.getOutputStream();
        out.write("abc".getBytes(UTF_8));
        out.flush();
        SocketMessage received = message(arena, ".....");
        queue.prepReceive(file, received, COOKIE);
        assertEquals(3, await(COOKIE));
        MemorySegment bytes = received.buffers().base(0);
        assertEquals("abc..", bytes.getString(0, UTF_8));
        client.shutdownOutput();
        queue.prepReceive(file, received, COOKIE);
        assertEquals(0, await(COOKIE));
      }
    }
  }

  @Test
  void speaksIpv6() throws Exception {
    InetAddress local = InetAddress.getByName("::1");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Inet(local, 0), 5)) {
      Endpoint.Inet bound = (Endpoint.Inet) listener.localEndpoint();
      try (Socket client = new Socket(local, bound.port());
          StreamSocket server = accept(listener)) {
        assertEquals(
            new InetSocketAddress(local, client.getLocalPort()),
            new InetSocketAddress(
                ((Endpoint.Inet) server.peerEndpoint()).address(),
                ((Endpoint.Inet) server.peerEndpoint()).port()));
        assertEquals("[0:0:0:0:0:0:0:1]:" + bound.port(), bound.toString());
      }
    }
  }

  @Test
  void connectsToAPath() throws Exception {
    Path path = directory.resolve("socket");
    try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(path));
      Endpoint endpoint = new Endpoint.Unix(path);
      try (StreamSocket client = StreamSocket.create(endpoint);
          Arena arena = Arena.ofConfined()) {
        int file = ring.registerFile(client.fd());
        queue.prepConnect(file, new SocketName(endpoint), COOKIE);
        assertEquals(0, await(COOKIE));
        try (SocketChannel server = listener.accept()) {
          queue.prepSend(file, message(arena, "hello"), COOKIE);
          assertEquals(5, await(COOKIE));
          ByteBuffer text = ByteBuffer.allocate(5);
          server.read(text);
          assertEquals("hello", new String(text.array(), UTF_8));
        }
      }
    }
  }

  @Test
  void listensAtAPath() throws Exception {
    Path path = directory.resolve("socket");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Unix(path), 5);
        SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path));
        StreamSocket server = accept(listener)) {
      assertEquals(new Endpoint.Unix(path), server.peerEndpoint());
      client.write(ByteBuffer.wrap(new byte[] {42}));
      try (Arena arena = Arena.ofConfined()) {
        SocketMessage message = message(arena, "..");
        queue.prepReceive(ring.registerFile(server.fd()), message, COOKIE);
        assertEquals(1, await(COOKIE));
        assertEquals(42, message.buffers().base(0).get(ValueLayout.JAVA_BYTE, 0));
      }
    }
  }

  /** How much fits before anybody reads it, with a buffer of a size and with a larger one. */
  @Test
  void aLargerSendBufferTakesMore() throws Exception {
    Path path = directory.resolve("socket");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Unix(path), 5);
        SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path));
        StreamSocket server = accept(listener);
        Arena arena = Arena.ofConfined()) {
      IoVector buffers = new IoVector(1);
      buffers.add(arena.allocate(150 << 10), 0, 150 << 10);
      SocketMessage message = new SocketMessage(buffers);
      int file = ring.registerFile(server.fd());
      server.setSendBuffer(16 << 10);
      queue.prepSend(file, message, COOKIE);
      ring.submit();
      queue.prepCancel(COOKIE, OTHER);
      assertTrue(await(COOKIE) < 150 << 10);
      server.setSendBuffer(200 << 10);
      queue.prepSend(file, message, COOKIE);
      assertEquals(150 << 10, await(COOKIE));
      assertTrue(client.isConnected());
    }
  }

  @Test
  void cancelledReceiveEnds() throws Exception {
    Path path = directory.resolve("socket");
    try (StreamSocket listener = StreamSocket.listen(new Endpoint.Unix(path), 5);
        SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path));
        StreamSocket server = accept(listener);
        Arena arena = Arena.ofConfined()) {
      SocketMessage message = message(arena, "..");
      queue.prepReceive(ring.registerFile(server.fd()), message, COOKIE);
      ring.submit();
      queue.prepCancel(COOKIE, OTHER);
      assertEquals(-Errno.ECANCELED, await(COOKIE));
      client.write(ByteBuffer.wrap(new byte[] {42}));
      queue.prepReceive(ring.registerFile(server.fd()), message, COOKIE);
      assertEquals(1, await(COOKIE), "nothing that came later is lost");
    }
  }

  @Test
  void longPathIsRefused() {
    Path path = Path.of("/tmp/" + "x".repeat(200));
    LinuxException e =
        assertThrows(LinuxException.class, () -> StreamSocket.listen(new Endpoint.Unix(path), 5));
    assertEquals("bind " + path + ": ENAMETOOLONG (File name too long)", e.getMessage());
  }
}
