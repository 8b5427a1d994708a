// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixSocketTest {
  private final Arena arena = Arena.ofConfined();
  @TempDir Path directory;

  @AfterEach
  void free() {
    arena.close();
  }

  private MemorySegment text(String text) {
    return arena.allocateFrom(text).asSlice(0, text.length());
  }

  private static long openDescriptors() throws Exception {
    try (var list = Files.list(Path.of("/proc/self/fd"))) {
      return list.count();
    }
  }

  @Test
  void descriptorsTravelWithTheBytes() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (UnixSocket left = pair.get(0);
        UnixSocket right = pair.get(1);
        EventFd event = EventFd.create();
        MemFd memory = MemFd.create("sent", 4096, MemFd.Pages.NORMAL);
        Mapping here = memory.map()) {
      assertEquals(5, left.send(text("hello"), List.of(event.fd(), memory.fd())));
      MemorySegment buffer = arena.allocate(64);
      UnixSocket.Received received = right.receive(buffer, 8);
      assertEquals(5, received.bytes());
      assertEquals("hello", buffer.getString(0));
      assertEquals(2, received.descriptors().size());

      try (EventFd same = EventFd.of(received.descriptors().get(0));
          Mapping there = Mapping.shared(received.descriptors().get(1), 0, 4096)) {
        same.signal();
        assertEquals(1, event.read());
        there.segment().set(ValueLayout.JAVA_INT, 100, 4711);
        assertEquals(4711, here.segment().get(ValueLayout.JAVA_INT, 100));
      }
      received.descriptors().forEach(Fd::close);

      assertEquals(2, left.send(text("ok"), List.of()));
      assertEquals(List.of(), right.receive(buffer, 8).descriptors());
    }
  }

  @Test
  void moreDescriptorsThanWantedAreClosed() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.SEQUENCED_PACKETS);
    try (UnixSocket left = pair.get(0);
        UnixSocket right = pair.get(1);
        EventFd event = EventFd.create()) {
      long before = openDescriptors();
      for (int wanted = 0; wanted < 4; wanted++) {
        left.send(text("x"), List.of(event.fd(), event.fd(), event.fd(), event.fd(), event.fd()));
        int most = wanted;
        LinuxException e =
            assertThrows(LinuxException.class, () -> right.receive(arena.allocate(8), most));
        assertEquals(Errno.EMSGSIZE, e.errno());
        assertEquals(before, openDescriptors());
      }
    }
  }

  @Test
  void asManyDescriptorsAsTheKernelTakes() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (UnixSocket left = pair.get(0);
        UnixSocket right = pair.get(1);
        EventFd event = EventFd.create()) {
      List<Fd> many = Collections.nCopies(UnixSocket.MAX_DESCRIPTORS, event.fd());
      left.send(text("x"), many);
      UnixSocket.Received received = right.receive(arena.allocate(8), UnixSocket.MAX_DESCRIPTORS);
      assertEquals(many.size(), received.descriptors().size());
      received.descriptors().forEach(Fd::close);
      List<Fd> tooMany = Collections.nCopies(UnixSocket.MAX_DESCRIPTORS + 1, event.fd());
      assertThrows(IllegalArgumentException.class, () -> left.send(text("x"), tooMany));
    }
  }

  @Test
  void packetsKeepTheirBoundaries() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.SEQUENCED_PACKETS);
    try (UnixSocket left = pair.get(0);
        UnixSocket right = pair.get(1)) {
      left.send(text("one"), List.of());
      left.send(text("three"), List.of());
      MemorySegment buffer = arena.allocate(64);
      assertEquals(3, right.receive(buffer, 0).bytes());
      assertEquals(5, right.receive(buffer, 0).bytes());
    }
  }

  @Test
  void clientsConnectByPath() throws Exception {
    Path path = directory.resolve("socket");
    LinuxException early =
        assertThrows(LinuxException.class, () -> UnixSocket.connect(path, UnixSocket.Type.STREAM));
    assertEquals("connect " + path + ": ENOENT (No such file or directory)", early.getMessage());
    try (UnixSocket server = UnixSocket.listen(path, UnixSocket.Type.STREAM, 4);
        UnixSocket client = UnixSocket.connect(path, UnixSocket.Type.STREAM);
        UnixSocket peer = server.accept()) {
      client.send(text("ping"), List.of());
      MemorySegment buffer = arena.allocate(64);
      assertEquals(4, peer.receive(buffer, 0).bytes());
      client.close();
      assertEquals(0, peer.receive(buffer, 0).bytes(), "the end of the stream");
      LinuxException e =
          assertThrows(LinuxException.class, () -> peer.send(text("pong"), List.of()));
      assertEquals(Errno.EPIPE, e.errno());
    }
    LinuxException taken =
        assertThrows(
            LinuxException.class, () -> UnixSocket.listen(path, UnixSocket.Type.STREAM, 4));
    assertEquals(Errno.EADDRINUSE, taken.errno());
  }

  /** Where too many wait already, connecting does not wait with them, nor does looking. */
  @Test
  void aBacklogThatIsFullIsRefused() throws Exception {
    Path path = directory.resolve("busy");
    try (UnixSocket server = UnixSocket.listen(path, UnixSocket.Type.STREAM, 0)) {
      List<UnixSocket> clients = new ArrayList<>();
      LinuxException full =
          assertThrows(
              LinuxException.class,
              () -> {
                while (true) {
                  clients.add(UnixSocket.connect(path, UnixSocket.Type.STREAM));
                }
              });
      assertEquals(Errno.EAGAIN, full.errno());
      assertFalse(clients.isEmpty());
      assertFalse(ListeningSocket.isStale(path));
      clients.forEach(UnixSocket::close);
      assertTrue(server.isListeningStream());
    }
    for (UnixSocket end : UnixSocket.pair(UnixSocket.Type.STREAM)) {
      assertFalse(end.isListeningStream());
      end.close();
    }
  }

  @Test
  void pathsThatDoNotFitAreRefused() {
    Path path = directory.resolve("x".repeat(120));
    LinuxException e =
        assertThrows(
            LinuxException.class, () -> UnixSocket.listen(path, UnixSocket.Type.STREAM, 1));
    assertEquals(Errno.ENAMETOOLONG, e.errno());
  }

  @Test
  void shutdownWakesAReceiver() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
    try (UnixSocket left = pair.get(0);
        UnixSocket right = pair.get(1)) {
      CompletableFuture<Long> end = new CompletableFuture<>();
      Thread.ofPlatform()
          .start(
              () -> {
                try (Arena own = Arena.ofConfined()) {
                  end.complete(left.receive(own.allocate(8), 0).bytes());
                } catch (LinuxException e) {
                  end.completeExceptionally(e);
                }
              });
      right.shutdown();
      assertEquals(0, end.join());
    }
  }
}
