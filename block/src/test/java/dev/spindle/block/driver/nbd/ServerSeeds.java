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

/** What the fuzzers of the NBD client begin with: servers that keep to the rules. */
final class ServerSeeds {
  private static final int BLOCK = 4096;

  private ServerSeeds() {}

  /** A server that answers three reads, a flush and a status query. */
  static Stream<byte[]> all() {
    List<byte[]> seeds = new ArrayList<>();
    for (HeaderStyle style : HeaderStyle.values()) {
      for (int pieces : new int[] {0, 200}) {
        seeds.add(replies(style, pieces));
      }
    }
    return seeds.stream();
  }

  private static byte[] replies(HeaderStyle style, int pieces) {
    ByteBuffer bytes = ByteBuffer.allocate(20 << 10);
    bytes.put((byte) style.ordinal()).put((byte) pieces);
    if (style == HeaderStyle.SIMPLE) {
      for (int i = 0; i < 4; i++) {
        ReplyHeader.writeSimple(whole(bytes), bytes.position(), 0, cookie(i));
        bytes.position(bytes.position() + ReplyHeader.SIMPLE_BYTES + (i < 3 ? BLOCK : 0));
      }
      return Arrays.copyOf(bytes.array(), bytes.position());
    }
    head(bytes, style, ReplyChunk.DONE, ReplyChunk.OFFSET_DATA, 0, 8 + BLOCK);
    bytes.putLong(BLOCK).position(bytes.position() + BLOCK);
    head(bytes, style, 0, ReplyChunk.OFFSET_HOLE, 1, 12);
    bytes.putLong(3 * BLOCK).putInt(2048);
    head(bytes, style, ReplyChunk.DONE, ReplyChunk.OFFSET_DATA, 1, 8 + 2048);
    bytes.putLong(3 * BLOCK + 2048).position(bytes.position() + 2048);
    head(bytes, style, ReplyChunk.DONE, ReplyChunk.ERROR, 2, 9);
    bytes.putInt(5).putShort((short) 3).put("bad".getBytes(UTF_8));
    head(bytes, style, ReplyChunk.DONE, ReplyChunk.NONE, 3, 0);
    if (style == HeaderStyle.EXTENDED) {
      head(bytes, style, ReplyChunk.DONE, ReplyChunk.BLOCK_STATUS_EXT, 4, 24);
      bytes.putInt(FakeServer.CONTEXT).putInt(1).putLong(BLOCK).putLong(3);
    } else {
      head(bytes, style, ReplyChunk.DONE, ReplyChunk.BLOCK_STATUS, 4, 12);
      bytes.putInt(FakeServer.CONTEXT).putInt(BLOCK).putInt(3);
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static MemorySegment whole(ByteBuffer bytes) {
    return MemorySegment.ofBuffer(bytes.duplicate().clear());
  }

  private static void head(
      ByteBuffer bytes, HeaderStyle style, int flags, int type, int flight, int length) {
    int at = bytes.position();
    if (style == HeaderStyle.EXTENDED) {
      ReplyHeader.writeExtended(whole(bytes), at, flags, type, cookie(flight), 0, length);
    } else {
      ReplyHeader.writeStructured(whole(bytes), at, flags, type, cookie(flight), length);
    }
    bytes.position(at + style.replyBytes());
  }

  /** Of a channel's first commands. */
  private static long cookie(int flight) {
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
      seeds.add(negotiation(HeaderStyle.STRUCTURED, pair[0], pair[1], 1 << 20));
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

  private static void answer(ByteBuffer bytes, OptionType option, OptionReply reply, byte... data) {
    bytes.putLong(Handshake.REPLY_MAGIC).putInt(option.number());
    bytes.putInt(reply.number()).putInt(data.length).put(data);
  }
}
