// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.devices.vhost.VhostUserPayload.Config;
import dev.spindle.devices.vhost.VhostUserPayload.Empty;
import dev.spindle.devices.vhost.VhostUserPayload.Inflight;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryRegion;
import dev.spindle.devices.vhost.VhostUserPayload.MemoryTable;
import dev.spindle.devices.vhost.VhostUserPayload.Region;
import dev.spindle.devices.vhost.VhostUserPayload.VringAddress;
import dev.spindle.devices.vhost.VhostUserPayload.VringFile;
import dev.spindle.devices.vhost.VhostUserPayload.VringState;
import dev.spindle.devices.vhost.VhostUserPayload.Word;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VhostUserSocketTest {
  private UnixSocket peer;
  private VhostUserSocket socket;

  @BeforeEach
  void connect() throws Exception {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
    peer = pair.get(0);
    socket = new VhostUserSocket(pair.get(1));
  }

  @AfterEach
  void disconnect() {
    peer.close();
    socket.close();
  }

  private void send(String hex, Fd... descriptors) throws IOException {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    try (Arena arena = Arena.ofConfined()) {
      peer.send(arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes), List.of(descriptors));
    }
  }

  private VhostUserMessage receive() throws IOException {
    return socket.receiveRequest().orElseThrow();
  }

  private void assertBroken(String reason, String hex, Fd... descriptors) throws Exception {
    disconnect();
    connect();
    long before = openDescriptors();
    send(hex, descriptors);
    peer.shutdown();
    VhostUserException refusal =
        assertThrows(VhostUserException.class, () -> socket.receiveRequest());
    assertEquals(reason, refusal.getMessage());
    assertEquals(before, openDescriptors(), "descriptors stay open");
  }

  private static long openDescriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }

  @Test
  void aRequestReadsAsTheSpecificationLaysItOut() throws Exception {
    send("01000000 01000000 00000000");
    assertEquals(VhostUserMessage.of(VhostUserRequest.GET_FEATURES, new Empty()), receive());
    send("02000000 09000000 08000000 0000004001000000");
    VhostUserMessage features = receive();
    assertEquals(new Word(0x1_4000_0000L), features.payload());
    assertTrue(features.needReply());
    send("08000000 01000000 08000000 01000000 80000000");
    assertEquals(new VringState(1, 128), receive().payload());
    send(
        "09000000 01000000 28000000 02000000 01000000 0010000000000000 0020000000000000"
            + "0030000000000000 0040000000000000");
    assertEquals(new VringAddress(2, 1, 0x1000, 0x2000, 0x3000, 0x4000), receive().payload());
    try (EventFd kick = EventFd.create()) {
      kick.add(7);
      send("0c000000 01000000 08000000 0300000000000000", kick.fd());
      VhostUserMessage message = receive();
      assertEquals(new VringFile(3, true), message.payload());
      try (EventFd received = EventFd.of(message.descriptors().getFirst())) {
        assertEquals(7, received.read());
      }
    }
    send("0d000000 01000000 08000000 0301000000000000");
    assertEquals(new VringFile(3, false), receive().payload());
    send("18000000 01000000 10000000 20000000 04000000 00000000 aabbccdd");
    Config config = (Config) receive().payload();
    assertEquals(0x20, config.offset());
    assertArrayEquals(HexFormat.of().parseHex("aabbccdd"), config.bytes());
    send("1f000000 01000000 14000000 0000000000000000 0000000000000000 0200 8000");
    assertEquals(new Inflight(0, 0, 2, 128), receive().payload());
  }

  @Test
  void whatOneEndSendsTheOtherReceives() throws Exception {
    Region region = new Region(1L << 32, 4096, 0x7fff_0000_0000L, 8192);
    List<VhostUserMessage> messages =
        List.of(
            VhostUserMessage.of(VhostUserRequest.REM_MEM_REG, new MemoryRegion(region)),
            VhostUserMessage.of(VhostUserRequest.SET_MEM_TABLE, new MemoryTable(List.of())),
            VhostUserMessage.of(VhostUserRequest.GET_INFLIGHT_FD, new Inflight(1, 2, 3, 65535)),
            new VhostUserMessage(
                VhostUserRequest.SET_STATUS, false, true, new Word(-1), List.of()));
    for (VhostUserMessage message : messages) {
      new VhostUserSocket(peer).send(message);
      assertEquals(message, receive());
    }
  }

  @Test
  void whatIsMalformedEndsTheConnection() throws Exception {
    assertBroken("a message of version 0, not 1", "01000000 00000000 00000000");
    assertBroken("a message of 4294967295 bytes", "01000000 01000000 ffffffff");
    assertBroken("an unknown message 4294967295", "ffffffff 01000000 00000000");
    assertBroken("GET_FEATURES is a reply", "01000000 05000000 00000000");
    assertBroken("a message that ends after 5 bytes", "0100000001");
    assertBroken("a message without its payload", "02000000 01000000 08000000");
    assertBroken("GET_FEATURES: a payload of 1 bytes is no EMPTY", "01000000 01000000 01000000 00");
    assertBroken(
        "SET_MEM_TABLE: a memory table of 9 regions, more than 8",
        "05000000 01000000 08000000 09000000 00000000");
    assertBroken(
        "SET_MEM_TABLE: a payload of 8 bytes is no MEMORY_TABLE",
        "05000000 01000000 08000000 01000000 00000000");
    assertBroken(
        "GET_CONFIG: a payload of 12 bytes is no CONFIG",
        "18000000 01000000 0c000000 00000000 ffffffff 00000000");
  }

  @Test
  void descriptorsAreAsManyAsTheMessageNeeds() throws Exception {
    try (EventFd any = EventFd.create()) {
      assertBroken("GET_FEATURES comes with 1 descriptors", "01000000 01000000 00000000", any.fd());
      assertBroken(
          "SET_VRING_KICK comes with 0 descriptors", "0c000000 01000000 08000000 0000000000000000");
      assertBroken(
          "SET_VRING_KICK comes with 1 descriptors",
          "0c000000 01000000 08000000 0001000000000000",
          any.fd());
      assertBroken(
          "SET_MEM_TABLE comes with 1 descriptors",
          "05000000 01000000 08000000 00000000 00000000",
          any.fd());
      assertBroken(
          "a message with more than 8 descriptors",
          "01000000 01000000 00000000",
          Collections.nCopies(20, any.fd()).toArray(Fd[]::new));
    }
  }

  /** Whatever comes, it is a message or a refusal, and no descriptor stays open. */
  @Test
  void anythingAtAllIsAMessageOrRefused() throws Exception {
    Random random = new Random(7);
    int messages = 0;
    try (EventFd any = EventFd.create()) {
      for (int i = 0; i < 2000; i++) {
        disconnect();
        connect();
        int[] sizes = {0, 8, 8, 16, 24, 40, random.nextInt(64)};
        byte[] bytes = new byte[12 + sizes[random.nextInt(sizes.length)]];
        random.nextBytes(bytes);
        header(bytes, random);
        long before = openDescriptors();
        send(
            HexFormat.of().formatHex(bytes),
            Collections.nCopies(random.nextInt(3), any.fd()).toArray(Fd[]::new));
        peer.shutdown();
        try {
          receive().closeDescriptors();
          messages++;
        } catch (VhostUserException e) {
          // As it should be.
        }
        assertEquals(before, openDescriptors());
      }
    }
    assertTrue(messages > 20, "only " + messages + " were messages at all");
  }

  /** A header that is right more often than chance would have it. */
  private static void header(byte[] bytes, Random random) {
    int code = random.nextInt(42);
    int version = random.nextInt(8) == 0 ? random.nextInt(256) : 1;
    int size = random.nextInt(4) == 0 ? random.nextInt(256) : bytes.length - 12;
    for (int i = 0; i < 4; i++) {
      bytes[i] = (byte) (code >>> (8 * i));
      bytes[4 + i] = (byte) (version >>> (8 * i));
      bytes[8 + i] = (byte) (size >>> (8 * i));
    }
  }
}
