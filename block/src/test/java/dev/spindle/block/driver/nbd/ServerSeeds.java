// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.ReplyHeader;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** What the fuzzers of the NBD client begin with. */
final class ServerSeeds {
  private static final int BLOCK = 4096;

  /** Bytes of a reply to an option without data. */
  private static final int OPTION_REPLY_HEAD = 20;

  private ServerSeeds() {}

  /**
   * A server that answers three reads, a flush and a status query, and such that answer the first
   * one and then break a rule.
   */
  static Stream<byte[]> all() {
    List<byte[]> seeds = new ArrayList<>();
    for (HeaderStyle style : HeaderStyle.values()) {
      for (int pieces : new int[] {0, 200}) {
        seeds.add(replies(style, pieces));
      }
      if (style != HeaderStyle.SIMPLE) {
        for (Piece piece : wrongPieces(style)) {
          seeds.add(answeredThen(style, piece));
        }
      }
    }
    seeds.add(simpleTwice());
    return seeds.stream();
  }

  /** A piece of a reply, all of it. */
  private record Piece(int flags, int type, long cookie, long length, byte[] body) {
    static Piece of(int flags, int type, int flight, byte... body) {
      return new Piece(flags, type, cookieOf(flight), body.length, body);
    }

    static Piece data(int flags, int flight, long at, int bytes) {
      byte[] body = ByteBuffer.allocate(8 + bytes).putLong(at).array();
      return of(flags, ReplyChunk.OFFSET_DATA, flight, body);
    }

    static Piece hole(int flight, long at, int bytes) {
      byte[] body = ByteBuffer.allocate(12).putLong(at).putInt(bytes).array();
      return of(0, ReplyChunk.OFFSET_HOLE, flight, body);
    }

    static Piece error(int flight, int error, int textLength) {
      byte[] body = ByteBuffer.allocate(9).putInt(error).putShort((short) textLength).array();
      return of(ReplyChunk.DONE, ReplyChunk.ERROR, flight, body);
    }

    static Piece status(HeaderStyle style, int flags, int context, long length) {
      if (style == HeaderStyle.EXTENDED) {
        ByteBuffer body = ByteBuffer.allocate(24).putInt(context).putInt(1).putLong(length);
        return of(flags, ReplyChunk.BLOCK_STATUS_EXT, 4, body.putLong(3).array());
      }
      ByteBuffer body = ByteBuffer.allocate(12).putInt(context).putInt((int) length).putInt(3);
      return of(flags, ReplyChunk.BLOCK_STATUS, 4, body.array());
    }
  }

  /** The second read asked for a block at {@code 3 * BLOCK}; the first one has been answered. */
  private static List<Piece> wrongPieces(HeaderStyle style) {
    int done = ReplyChunk.DONE;
    long at = 3 * BLOCK;
    byte[] elevenBytes = new byte[11];
    return List.of(
        Piece.data(0, 2, 5 * BLOCK + 100, BLOCK),
        Piece.data(0, 2, 5 * BLOCK - 100, BLOCK),
        Piece.data(done, 1, at, BLOCK - 1),
        Piece.data(0, 1, at + 1024, 1024),
        Piece.data(0, 1, at + 1536, 1024),
        Piece.data(0, 1, at + 512, 1024),
        Piece.data(done, 0, BLOCK, BLOCK),
        Piece.data(done, 3, 0, 16),
        Piece.hole(1, at + 100, BLOCK),
        Piece.hole(1, at, 0),
        Piece.hole(1, at + 1500, 100),
        Piece.of(0, ReplyChunk.OFFSET_HOLE, 1, elevenBytes),
        Piece.of(done, ReplyChunk.NONE, 1),
        Piece.of(0, ReplyChunk.NONE, 1),
        Piece.of(done, ReplyChunk.NONE, 0),
        Piece.of(done, ReplyChunk.NONE, 4),
        Piece.of(done, 99, 1),
        Piece.error(1, 5, 100),
        Piece.error(1, 0, 3),
        Piece.status(style, 0, FakeServer.CONTEXT, 2 * BLOCK),
        Piece.status(style, done, FakeServer.CONTEXT, 2 * BLOCK),
        Piece.status(style, done, FakeServer.CONTEXT, 0),
        Piece.status(style, done, FakeServer.CONTEXT + 1, BLOCK),
        new Piece(done, ReplyChunk.ERROR, cookieOf(1), (64 << 10) - 16, new byte[64 << 10]),
        new Piece(done, ReplyChunk.NONE, cookieOf(1) + (1L << 32), 0, new byte[0]),
        new Piece(done, ReplyChunk.NONE, cookieOf(16), 0, new byte[0]),
        new Piece(done, ReplyChunk.NONE, -1, 0, new byte[0]));
  }

  /** A server that answers the first read well, then says something else, and that once more. */
  private static byte[] answeredThen(HeaderStyle style, Piece wrong) {
    ByteBuffer bytes = ByteBuffer.allocate(160 << 10);
    bytes.put((byte) style.ordinal()).put((byte) 0);
    put(bytes, style, Piece.data(ReplyChunk.DONE, 0, BLOCK, BLOCK));
    put(bytes, style, Piece.data(0, 1, 3 * BLOCK + 1024, 1024));
    put(bytes, style, wrong);
    put(bytes, style, wrong);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static void put(ByteBuffer bytes, HeaderStyle style, Piece piece) {
    head(bytes, style, piece.flags, piece.type, piece.cookie, piece.length);
    bytes.put(piece.body);
  }

  /** A server that answers a flush twice. */
  private static byte[] simpleTwice() {
    ByteBuffer bytes = ByteBuffer.allocate(64).put((byte) 0).put((byte) 0);
    for (int i = 0; i < 2; i++) {
      ReplyHeader.writeSimple(whole(bytes), bytes.position(), 0, cookieOf(3));
      bytes.position(bytes.position() + ReplyHeader.SIMPLE_BYTES);
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static byte[] replies(HeaderStyle style, int pieces) {
    ByteBuffer bytes = ByteBuffer.allocate(20 << 10);
    bytes.put((byte) style.ordinal()).put((byte) pieces);
    if (style == HeaderStyle.SIMPLE) {
      for (int i = 0; i < 4; i++) {
        ReplyHeader.writeSimple(whole(bytes), bytes.position(), 0, cookieOf(i));
        bytes.position(bytes.position() + ReplyHeader.SIMPLE_BYTES + (i < 3 ? BLOCK : 0));
      }
      return Arrays.copyOf(bytes.array(), bytes.position());
    }
    put(bytes, style, Piece.data(ReplyChunk.DONE, 0, BLOCK, BLOCK));
    put(bytes, style, Piece.hole(1, 3 * BLOCK, 2048));
    put(bytes, style, Piece.data(ReplyChunk.DONE, 1, 3 * BLOCK + 2048, 2048));
    put(bytes, style, Piece.error(2, 5, 3));
    put(bytes, style, Piece.of(ReplyChunk.DONE, ReplyChunk.NONE, 3));
    put(bytes, style, Piece.status(style, ReplyChunk.DONE, FakeServer.CONTEXT, BLOCK));
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static MemorySegment whole(ByteBuffer bytes) {
    return MemorySegment.ofBuffer(bytes.duplicate().clear());
  }

  private static void head(
      ByteBuffer bytes, HeaderStyle style, int flags, int type, long cookie, long length) {
    int at = bytes.position();
    if (style == HeaderStyle.EXTENDED) {
      ReplyHeader.writeExtended(whole(bytes), at, flags, type, cookie, 0, length);
    } else {
      ReplyHeader.writeStructured(whole(bytes), at, flags, type, cookie, (int) length);
    }
    bytes.position(at + style.replyBytes());
  }

  /** Of a channel's first commands. */
  private static long cookieOf(int flight) {
    return 1L << 32 | flight;
  }

  /** Servers that negotiate: some that can be used, others that want or have the impossible. */
  static Stream<byte[]> negotiations() {
    List<byte[]> seeds = new ArrayList<>();
    for (HeaderStyle style : HeaderStyle.values()) {
      seeds.add(negotiation(style, 512, 1 << 20, 1 << 20));
    }
    int[][] sizes = {
      {0, 1 << 20},
      {3, 1 << 20},
      {4096, 1024},
      {1 << 17, 1 << 20},
      {512, -1},
      {-512, -1},
      {512, 1000}
    };
    for (int[] pair : sizes) {
      seeds.add(negotiation(HeaderStyle.STRUCTURED, pair[0], pair[1], 3 << 20));
    }
    for (int cut : new int[] {1, 2, 9, 11}) {
      byte[] bytes = negotiation(HeaderStyle.STRUCTURED, 512, 1 << 20, 1 << 20);
      int infoLength = bytes.length - OPTION_REPLY_HEAD - 12 - 4;
      seeds.add(ByteBuffer.wrap(bytes).putInt(infoLength, cut).array());
    }
    for (long size : new long[] {0, 513, 512 - 1, Long.MAX_VALUE, Long.MAX_VALUE & -512, -512}) {
      seeds.add(negotiation(HeaderStyle.STRUCTURED, 512, 1 << 20, size));
    }
    return seeds.stream();
  }

  private static byte[] negotiation(HeaderStyle style, int minimum, int maximum, long size) {
    ByteBuffer bytes = ByteBuffer.allocate(1024).put((byte) 0);
    bytes.putLong(Handshake.INIT_MAGIC).putLong(Handshake.OPTION_MAGIC);
    bytes.putShort((short) (Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES));
    boolean extended = style == HeaderStyle.EXTENDED;
    boolean simple = style == HeaderStyle.SIMPLE;
    OptionReply granted = OptionReply.ACK;
    answer(bytes, OptionType.EXTENDED_HEADERS, extended ? granted : OptionReply.ERR_UNSUP);
    if (!extended) {
      answer(bytes, OptionType.STRUCTURED_REPLY, simple ? OptionReply.ERR_UNSUP : granted);
    }
    if (!simple) {
      byte[] name = "base:allocation".getBytes(UTF_8);
      byte[] context = ByteBuffer.allocate(4 + name.length).putInt(7).put(name).array();
      answer(bytes, OptionType.SET_META_CONTEXT, OptionReply.META_CONTEXT, context);
      answer(bytes, OptionType.SET_META_CONTEXT, granted);
    }
    byte[] sizes = FakeServer.Conversation.blockSizes(minimum, 4096, maximum);
    answer(bytes, OptionType.GO, OptionReply.INFO, sizes);
    byte[] export = FakeServer.Conversation.exportInfo(size, 1);
    answer(bytes, OptionType.GO, OptionReply.INFO, export);
    answer(bytes, OptionType.GO, granted);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** Appends a reply to an option. */
  static void answer(ByteBuffer bytes, OptionType option, OptionReply reply, byte... data) {
    bytes.putLong(Handshake.REPLY_MAGIC).putInt(option.number());
    bytes.putInt(reply.number()).putInt(data.length).put(data);
  }
}
