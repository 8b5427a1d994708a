// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static dev.spindle.block.graph.BlockRequest.Operation.READ;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.driver.nbd.FakeServer.Conversation;
import dev.spindle.block.driver.nbd.FakeServer.Request;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.linux.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that break the rules end their own connection, and nothing else. */
@Timeout(120)
class HostileServerTest {
  private static final int BYTES = 8192;
  private static final int AT = 65536;

  @TempDir Path directory;

  /** What is said instead of the answer to a read. */
  @FunctionalInterface
  interface Attack {
    void run(Conversation with, Request read) throws IOException;
  }

  private record Case(HeaderStyle style, Attack attack) {}

  private static final Map<String, Case> ATTACKS = attacks();

  private static Map<String, Case> attacks() {
    Map<String, Case> attacks = new LinkedHashMap<>();
    attacks.put(
        "simple: another cookie",
        new Case(HeaderStyle.SIMPLE, (with, read) -> with.simple(read.cookie() ^ 1, 0)));
    attacks.put(
        "simple: a negative cookie",
        new Case(HeaderStyle.SIMPLE, (with, read) -> with.simple(-1, 0)));
    attacks.put(
        "simple: a cookie of the past",
        new Case(HeaderStyle.SIMPLE, (with, read) -> with.simple(read.cookie() - (1L << 32), 0)));
    attacks.put(
        "simple: no reply at all",
        new Case(HeaderStyle.SIMPLE, (with, read) -> with.out.write(new byte[64])));
    attacks.put(
        "simple: the end amid data",
        new Case(
            HeaderStyle.SIMPLE,
            (with, read) -> {
              with.simple(read.cookie(), 0);
              with.out.write(new byte[BYTES / 2]);
              throw new IOException("enough");
            }));
    attacks.put(
        "simple: a structured reply",
        new Case(HeaderStyle.SIMPLE, (with, read) -> with.data(1, read, AT, BYTES)));
    for (HeaderStyle style : new HeaderStyle[] {HeaderStyle.STRUCTURED, HeaderStyle.EXTENDED}) {
      Map<String, Attack> pieces = new LinkedHashMap<>();
      pieces.put("a simple reply to a read", (with, read) -> with.simple(read.cookie(), 0));
      pieces.put("data before the range", (with, read) -> with.data(1, read, AT - 512, BYTES));
      pieces.put("data past the range", (with, read) -> with.data(1, read, AT + 512, BYTES));
      pieces.put("data far away", (with, read) -> with.data(1, read, Long.MAX_VALUE - 100, 512));
      pieces.put("data at a negative place", (with, read) -> with.data(1, read, -512, 512));
      pieces.put("more data than asked", (with, read) -> with.data(1, read, AT, 2 * BYTES));
      pieces.put("less data than asked", (with, read) -> with.data(1, read, AT, BYTES - 512));
      pieces.put("no data", (with, read) -> with.data(1, read, AT, 0));
      pieces.put(
          "4 GiB of data",
          (with, read) ->
              with.chunk(1, ReplyChunk.OFFSET_DATA, read.cookie(), 0xffff_ffffL, new byte[64]));
      pieces.put(
          "a hole of 4 GiB",
          (with, read) ->
              with.chunk(1, ReplyChunk.OFFSET_HOLE, read.cookie(), Conversation.hole(AT, -1)));
      pieces.put(
          "an empty hole",
          (with, read) ->
              with.chunk(0, ReplyChunk.OFFSET_HOLE, read.cookie(), Conversation.hole(AT, 0)));
      pieces.put(
          "a hole that is too short to be one",
          (with, read) -> with.chunk(0, ReplyChunk.OFFSET_HOLE, read.cookie(), new byte[11]));
      pieces.put(
          "the same data twice",
          (with, read) -> {
            with.data(0, read, AT, BYTES / 2);
            with.data(1, read, AT + BYTES / 4, BYTES / 2);
          });
      pieces.put(
          "a hole over data",
          (with, read) -> {
            with.data(0, read, AT, BYTES);
            with.chunk(1, ReplyChunk.OFFSET_HOLE, read.cookie(), Conversation.hole(AT, 512));
          });
      pieces.put(
          "the end before all has come",
          (with, read) -> {
            with.data(0, read, AT, BYTES / 2);
            with.chunk(1, ReplyChunk.NONE, read.cookie(), new byte[0]);
          });
      pieces.put(
          "nothing, and more to come",
          (with, read) -> with.chunk(0, ReplyChunk.NONE, read.cookie(), new byte[0]));
      pieces.put(
          "nothing, at some length",
          (with, read) -> with.chunk(1, ReplyChunk.NONE, read.cookie(), new byte[8]));
      pieces.put(
          "the status of what is read",
          (with, read) -> with.chunk(1, ReplyChunk.BLOCK_STATUS, read.cookie(), new byte[12]));
      pieces.put(
          "a piece that nobody knows",
          (with, read) -> with.chunk(1, 99, read.cookie(), new byte[12]));
      pieces.put(
          "an error with too long a message",
          (with, read) ->
              with.chunk(
                  1, ReplyChunk.ERROR, read.cookie(), new byte[] {0, 0, 0, 5, 127, 127, 'x'}));
      pieces.put(
          "an error that is none",
          (with, read) ->
              with.chunk(1, ReplyChunk.ERROR, read.cookie(), new byte[] {0, 0, 0, 0, 0, 0}));
      pieces.put(
          "an error too short to say which",
          (with, read) -> with.chunk(1, ReplyChunk.ERROR, read.cookie(), new byte[] {0, 5}));
      pieces.put(
          "an error with a message of 4 GiB",
          (with, read) ->
              with.chunk(1, ReplyChunk.ERROR, read.cookie(), 0xffff_fff0L, new byte[64]));
      pieces.put(
          "an answer to nobody",
          (with, read) -> with.chunk(1, ReplyChunk.NONE, 0x1234_5678_9abc_def0L, new byte[0]));
      pieces.put(
          "the answer twice",
          (with, read) -> {
            with.data(0, read, AT, BYTES);
            with.chunk(1, ReplyChunk.ERROR, read.cookie(), new byte[] {0, 0, 0, 5, 0, 0});
            with.chunk(1, ReplyChunk.NONE, read.cookie(), new byte[0]);
          });
      pieces.forEach((name, attack) -> attacks.put(style + ": " + name, new Case(style, attack)));
    }
    attacks.put(
        "extended: a length below zero",
        new Case(
            HeaderStyle.EXTENDED,
            (with, read) ->
                with.chunk(1, ReplyChunk.OFFSET_DATA, read.cookie(), -1, new byte[64])));
    return attacks;
  }

  static Stream<String> attackNames() {
    return ATTACKS.keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("attackNames")
  void aBrokenReplyEndsTheConnection(String name) throws Exception {
    Case broken = ATTACKS.get(name);
    Path socket = directory.resolve("fake.sock");
    CountDownLatch ended = new CountDownLatch(1);
    try (FakeServer server =
            new FakeServer(
                socket,
                (with, connection) -> {
                  with.negotiate(broken.style());
                  if (connection > 0) {
                    with.serve();
                    return;
                  }
                  try {
                    broken.attack().run(with, with.request());
                    with.out.flush();
                    with.awaitEnd();
                  } finally {
                    ended.countDown();
                  }
                });
        Disk disk = new Disk(node(socket));
        Arena arena = Arena.ofShared()) {
      MemorySegment around = arena.allocate(3 * BYTES, 4096).fill((byte) 0x77);
      MemorySegment buffer = around.asSlice(BYTES, BYTES);
      assertEquals(-Errno.EIO, disk.run(TestRequest.transfer(READ, AT, buffer)));
      // Nothing is received while nothing is asked: an answer too many may be seen with the next
      // request only.
      while (ended.getCount() > 0) {
        disk.run(TestRequest.transfer(READ, AT, buffer));
      }
      for (long at = 0; at < BYTES; at++) {
        assertEquals(0x77, around.get(ValueLayout.JAVA_BYTE, at));
        assertEquals(0x77, around.get(ValueLayout.JAVA_BYTE, 2 * BYTES + at));
      }
      // The next connection serves, as soon as there is one.
      while (disk.run(TestRequest.transfer(READ, AT, buffer)) != 0) {
        Thread.onSpinWait();
      }
      assertEquals(0x5a, buffer.get(ValueLayout.JAVA_BYTE, BYTES - 1));
    }
  }

  private static String node(Path socket) {
    return "driver=nbd,node-name=disk,read-only=on,server.type=unix,server.path=" + socket;
  }

  private static final Map<String, Attack> HANDSHAKES = handshakes();

  private static Map<String, Attack> handshakes() {
    Map<String, Attack> attacks = new LinkedHashMap<>();
    attacks.put("that is no NBD server", (with, none) -> with.out.write(new byte[64]));
    attacks.put(
        "the server only knows the oldstyle negotiation",
        (with, none) -> {
          with.out.writeLong(Handshake.INIT_MAGIC);
          with.out.writeLong(0x00420281861253L);
          with.out.write(new byte[200]);
        });
    attacks.put("the connection ended", (with, none) -> with.out.writeLong(Handshake.INIT_MAGIC));
    attacks.put(
        "with 4294967295 bytes, more than any answer has",
        (with, none) -> {
          with.greet();
          int option = with.option();
          with.out.writeLong(Handshake.REPLY_MAGIC);
          with.out.writeInt(option);
          with.out.writeInt(OptionReply.ERR_UNSUP.number());
          with.out.writeInt(-1);
          with.out.flush();
          with.awaitEnd();
        });
    attacks.put(
        "the server answers option 99 instead of EXTENDED_HEADERS",
        (with, none) -> {
          with.greet();
          with.option();
          with.answer(99, OptionReply.ACK, new byte[0]);
        });
    attacks.put(
        "no reply to EXTENDED_HEADERS",
        (with, none) -> {
          with.greet();
          with.option();
          with.out.write(new byte[20]);
        });
    attacks.put(
        "the export has an impossible size",
        (with, none) ->
            with.negotiate(HeaderStyle.SIMPLE, Conversation.exportInfo(Long.MIN_VALUE, 1)));
    attacks.put(
        "impossible size: 9223372036854775807",
        (with, none) ->
            with.negotiate(HeaderStyle.SIMPLE, Conversation.exportInfo(Long.MAX_VALUE, 1)));
    attacks.put(
        "the server does not tell the size",
        (with, none) -> with.negotiate(HeaderStyle.SIMPLE, new byte[0][]));
    attacks.put(
        "impossible block sizes: at least 0",
        (with, none) ->
            with.negotiate(
                HeaderStyle.SIMPLE,
                Conversation.exportInfo(1 << 20, 1),
                Conversation.blockSizes(0, 0, 0)));
    attacks.put(
        "impossible block sizes: at least 2147483648",
        (with, none) ->
            with.negotiate(
                HeaderStyle.SIMPLE,
                Conversation.exportInfo(1 << 20, 1),
                Conversation.blockSizes(1 << 31, 1 << 31, -1)));
    attacks.put(
        "at least 4096, at most 512 bytes",
        (with, none) ->
            with.negotiate(
                HeaderStyle.SIMPLE,
                Conversation.exportInfo(1 << 20, 1),
                Conversation.blockSizes(4096, 4096, 512)));
    attacks.put(
        "not a multiple of its blocks of 4096",
        (with, none) ->
            with.negotiate(
                HeaderStyle.SIMPLE,
                Conversation.exportInfo(5000, 1),
                Conversation.blockSizes(4096, 4096, 1 << 20)));
    attacks.put(
        "the server does not come to an end with GO",
        (with, none) -> {
          byte[][] infos = new byte[1000][];
          java.util.Arrays.fill(infos, Conversation.exportInfo(1 << 20, 1));
          with.negotiate(HeaderStyle.SIMPLE, infos);
        });
    attacks.put(
        "Could not open PATH: the server has no default export (not  here)",
        (with, none) -> {
          with.greet();
          while (true) {
            int option = with.option();
            boolean go = option == OptionType.GO.number();
            with.answer(
                option,
                go ? OptionReply.ERR_UNKNOWN : OptionReply.ERR_UNSUP,
                "not\u001b here".getBytes(java.nio.charset.StandardCharsets.UTF_8));
          }
        });
    attacks.put(
        "the server has closed the connection when asked for its default export",
        (with, none) -> {
          with.greet();
          for (int option = with.option();
              option != OptionType.EXPORT_NAME.number();
              option = with.option()) {
            with.answer(option, OptionReply.ERR_UNSUP, new byte[0]);
          }
        });
    attacks.put(
        "the server asks for TLS",
        (with, none) -> {
          with.greet();
          while (true) {
            with.answer(with.option(), OptionReply.ERR_TLS_REQD, new byte[0]);
          }
        });
    return attacks;
  }

  static Stream<String> refusals() {
    return HANDSHAKES.keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void aBrokenNegotiationIsRefused(String reason) throws Exception {
    Path socket = directory.resolve("fake.sock");
    try (FakeServer server =
        new FakeServer(
            socket,
            (with, connection) -> {
              HANDSHAKES.get(reason).run(with, null);
              with.out.flush();
            })) {
      BlockException refusal =
          assertThrows(BlockException.class, () -> new Disk(node(socket)).close());
      String wanted = reason.replace("PATH", socket.toString());
      assertTrue(refusal.getMessage().contains(wanted), refusal.getMessage());
    }
  }

  @org.junit.jupiter.api.Test
  void aServerThatSaysNothingIsLeft() throws Exception {
    Path socket = directory.resolve("fake.sock");
    try (FakeServer server = new FakeServer(socket, (with, connection) -> with.awaitEnd())) {
      BlockException refusal =
          assertThrows(
              BlockException.class, () -> new Disk(node(socket) + ",open-timeout=1").close());
      assertTrue(refusal.getMessage().contains("takes too long"), refusal.getMessage());
    }
  }
}
