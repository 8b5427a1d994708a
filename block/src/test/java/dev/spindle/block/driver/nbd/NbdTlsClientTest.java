// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.export.nbd.TestCertificates;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.tls.X509Credentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS with servers that use GnuTLS. */
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NbdTlsClientTest {
  private static final int BYTES = 1 << 20;
  private static final int PIECES = 16;

  @TempDir static Path certificates;
  @TempDir static Path strangers;
  @TempDir Path directory;

  @BeforeAll
  static void makeCertificates() throws Exception {
    TestCertificates.make(certificates);
    TestCertificates.make(strangers);
  }

  private static TestGraph graph(Path dir, String more) throws Exception {
    TestGraph test = new TestGraph();
    test.control(
        () ->
            test.graph
                .objects()
                .add(X509Credentials.read(Disk.options("id=tls0,dir=" + dir + more))));
    return test;
  }

  private Path image() throws Exception {
    return Disk.image(directory, (long) PIECES * BYTES);
  }

  private NbdPeer nbdkit(Path image, String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of("--tls=require", "--tls-verify-peer", "--tls-certificates=" + certificates));
    arguments.addAll(List.of(more));
    arguments.addAll(List.of("file", image.toString()));
    return NbdPeer.nbdkit(directory, arguments.toArray(String[]::new));
  }

  @Test
  void whatIsWrittenByTlsIsThere() throws Exception {
    Path image = image();
    try (NbdPeer server = nbdkit(image);
        TestGraph test = graph(certificates, "");
        Arena arena = Arena.ofShared()) {
      BlockNode node = test.open(server.node(",tls-creds=tls0,reconnect-delay=100"));
      BlockBackend backend = test.use(node, "u");
      BackendLane lane = test.lane(backend, test.io0);
      byte[] model = new byte[PIECES * BYTES];
      new Random(5).nextBytes(model);
      for (int round = 0; round < 2; round++) {
        List<TestRequest> requests = new ArrayList<>();
        for (int i = 0; i < PIECES; i++) {
          MemorySegment buffer = arena.allocate(BYTES);
          MemorySegment.copy(model, i * BYTES, buffer, ValueLayout.JAVA_BYTE, 0, BYTES);
          requests.add(TestRequest.transfer(Operation.WRITE, (long) i * BYTES, buffer));
        }
        for (TestRequest request : requests) {
          TestGraph.send(lane, request);
        }
        // In the second round amid the writes, which are sent again.
        if (round == 1) {
          server.kill();
          server.start();
        }
        for (TestRequest request : requests) {
          assertEquals(0, request.result.join());
        }
      }
      MemorySegment read = arena.allocate((long) PIECES * BYTES);
      TestRequest all = TestRequest.transfer(Operation.READ, 0, read);
      assertEquals(0, TestGraph.send(lane, all).result.join());
      assertArrayEquals(model, read.toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(model, Files.readAllBytes(image));
      test.closeLane(lane);
      test.control(
          () -> {
            backend.close();
            test.graph.closeAll();
          });
    }
  }

  @Test
  void whoDoesNotBelongTogetherIsRefused() throws Exception {
    Path image = image();
    try (NbdPeer server = nbdkit(image)) {
      awaitServer(server, ",tls-creds=tls0");
      String node = server.node("").replace("open-timeout=60,", "");
      assertRefused("the server asks for TLS", certificates, "", node);
      assertRefused("TLS: ", strangers, "", node + ",tls-creds=tls0");
      assertRefused(
          "TLS: ", certificates, "", node + ",tls-creds=tls0,tls-hostname=elsewhere.example");
      assertRefused("'tls-hostname' needs 'tls-creds'", certificates, "", node + ",tls-hostname=x");
      assertRefused(
          "Expecting TLS credentials with a client endpoint: 'tls0'",
          certificates,
          ",endpoint=server",
          node + ",tls-creds=tls0");
      assertRefused(
          "there is no tls-creds-x509 object 'tls1'", certificates, "", node + ",tls-creds=tls1");
    }
    try (NbdPeer server = NbdPeer.qemuNbd(directory, image)) {
      awaitServer(server, "");
      String node = server.node(",tls-creds=tls0").replace("open-timeout=60,", "");
      assertRefused("the server does not offer TLS", certificates, "", node);
    }
  }

  /** Somebody between the two may say it: nothing that is not encrypted is believed. */
  @Test
  void whatComesInTheClearAfterStartTlsIsNotBelieved() throws Exception {
    Path socket = directory.resolve("clear.sock");
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket));
      CompletableFuture<Void> said =
          CompletableFuture.runAsync(
              () -> sayInTheClear(server), task -> Thread.ofPlatform().start(task));
      assertRefused(
          "TLS: ",
          certificates,
          "",
          "driver=nbd,node-name=n,read-only=on,tls-creds=tls0,server.type=unix,server.path="
              + socket);
      said.join();
    }
  }

  /** Agrees to TLS, and goes on at once, without it. */
  private static void sayInTheClear(ServerSocketChannel server) {
    try (SocketChannel client = server.accept()) {
      ByteBuffer greeting = ByteBuffer.allocate(Handshake.GREETING_BYTES);
      greeting.putLong(Handshake.INIT_MAGIC).putLong(Handshake.OPTION_MAGIC);
      greeting.putShort((short) (Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES));
      client.write(greeting.flip());
      ByteBuffer heard =
          ByteBuffer.allocate(Handshake.CLIENT_FLAGS_BYTES + Handshake.OPTION_HEADER_BYTES);
      while (heard.hasRemaining() && client.read(heard) >= 0) {}
      ByteBuffer replies = ByteBuffer.allocate(256);
      ServerSeeds.answer(replies, OptionType.STARTTLS, OptionReply.ACK);
      ServerSeeds.answer(replies, OptionType.EXTENDED_HEADERS, OptionReply.ERR_UNSUP);
      ServerSeeds.answer(replies, OptionType.STRUCTURED_REPLY, OptionReply.ERR_UNSUP);
      byte[] export = FakeServer.Conversation.exportInfo(1 << 20, 1);
      ServerSeeds.answer(replies, OptionType.GO, OptionReply.INFO, export);
      ServerSeeds.answer(replies, OptionType.GO, OptionReply.ACK);
      client.write(replies.flip());
      while (client.read(ByteBuffer.allocate(4096)) >= 0) {}
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void awaitServer(NbdPeer server, String more) throws Exception {
    try (TestGraph test = graph(certificates, "")) {
      test.open(server.node(more));
      test.control(test.graph::closeAll);
    }
  }

  private static void assertRefused(String reason, Path dir, String more, String node)
      throws Exception {
    try (TestGraph test = graph(dir, more)) {
      String refusal = test.refusal(() -> test.graph.open(Disk.options(node)));
      assertTrue(refusal.contains(reason), refusal);
    }
  }
}
