// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.InfoType;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.RequestHeader;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** What the fuzzers of the NBD server begin with: clients that keep to the rules. */
final class NbdSeeds {
  /** How long the export is that is used. */
  static final int EXPORT_BYTES = 1 << 18;

  /** Of the first byte: the client has to keep to blocks of 512 bytes. */
  static final int ALIGNED = 4;

  /** Of the first byte. */
  static final int READ_ONLY = 8;

  private NbdSeeds() {}

  /** A byte for what server it is, and all that a client says while it negotiates. */
  static Stream<byte[]> negotiations() {
    List<byte[]> seeds = new ArrayList<>();
    seeds.add(negotiation(0, option(OptionType.EXPORT_NAME, "disk".getBytes(UTF_8))));
    seeds.add(
        negotiation(
            0,
            option(OptionType.LIST),
            option(OptionType.STRUCTURED_REPLY),
            option(OptionType.INFO, info("disk", InfoType.NAME, InfoType.DESCRIPTION)),
            option(OptionType.LIST_META_CONTEXT, queries("disk")),
            option(OptionType.LIST_META_CONTEXT, queries("disk", "base:", "qemu:")),
            option(OptionType.SET_META_CONTEXT, queries("disk", "base:allocation")),
            option(OptionType.GO, info("disk", InfoType.BLOCK_SIZE))));
    seeds.add(
        negotiation(
            0,
            option(OptionType.EXTENDED_HEADERS),
            option(
                OptionType.SET_META_CONTEXT,
                queries("", "base:allocation", "qemu:allocation-depth")),
            option(OptionType.GO, info(""))));
    seeds.add(
        negotiation(
            1,
            option(OptionType.LIST),
            option(OptionType.STARTTLS),
            option(OptionType.EXTENDED_HEADERS),
            option(OptionType.GO, info("disk"))));
    seeds.add(negotiation(0, option(OptionType.STARTTLS), option(OptionType.ABORT)));
    return seeds.stream();
  }

  private static byte[] negotiation(int server, byte[]... options) {
    ByteBuffer bytes = ByteBuffer.allocate(4096).put((byte) server);
    bytes.putInt(Handshake.CLIENT_FIXED_NEWSTYLE | Handshake.CLIENT_NO_ZEROES);
    for (byte[] option : options) {
      bytes.put(option);
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static byte[] option(OptionType type, byte... data) {
    return ByteBuffer.allocate(Handshake.OPTION_HEADER_BYTES + data.length)
        .putLong(Handshake.OPTION_MAGIC)
        .putInt(type.number())
        .putInt(data.length)
        .put(data)
        .array();
  }

  private static byte[] info(String name, InfoType... wanted) {
    byte[] bytes = name.getBytes(UTF_8);
    ByteBuffer data = ByteBuffer.allocate(6 + bytes.length + 2 * wanted.length);
    data.putInt(bytes.length).put(bytes).putShort((short) wanted.length);
    for (InfoType type : wanted) {
      data.putShort((short) type.number());
    }
    return data.array();
  }

  private static byte[] queries(String name, String... queries) {
    ByteBuffer data = ByteBuffer.allocate(1024);
    data.putInt(name.length()).put(name.getBytes(UTF_8)).putInt(queries.length);
    for (String query : queries) {
      data.putInt(query.length()).put(query.getBytes(UTF_8));
    }
    return Arrays.copyOf(data.array(), data.position());
  }

  /**
   * A byte for what has been agreed on, one for how the bytes come, and all that a client says when
   * it uses an export.
   */
  static Stream<byte[]> transmissions() {
    List<byte[]> seeds = new ArrayList<>();
    for (HeaderStyle style : HeaderStyle.values()) {
      for (int pieces : new int[] {0, 17}) {
        seeds.add(transmission(style, pieces));
      }
      for (int server : new int[] {0, ALIGNED, READ_ONLY, ALIGNED | READ_ONLY}) {
        seeds.add(edges(style, server));
      }
    }
    return seeds.stream();
  }

  /** What a server refuses, or some servers do, among what it does not. */
  private static byte[] edges(HeaderStyle style, int server) {
    boolean extended = style == HeaderStyle.EXTENDED;
    int carries = extended ? CommandFlags.PAYLOAD_LEN : 0;
    long end = EXPORT_BYTES;
    ByteBuffer bytes = ByteBuffer.allocate(16384);
    bytes.put((byte) (style.ordinal() | server)).put((byte) 0);
    for (long[] range :
        new long[][] {
          {0, 512},
          {512, 100},
          {100, 512},
          {end - 512, 512},
          {end - 512, 1024},
          {end, 512},
          {0, 0},
          {-512, 1024},
          {end, 0},
          {0, end + 512}
        }) {
      long offset = range[0];
      long length = range[1];
      request(bytes, style, Command.READ, 0, offset, length);
      if (length <= 1024) {
        request(bytes, style, Command.WRITE, carries, offset, length);
        bytes.position(bytes.position() + (int) length);
      }
      request(bytes, style, Command.TRIM, 0, offset, length);
      request(bytes, style, Command.WRITE_ZEROES, 0, offset, length);
      request(bytes, style, Command.CACHE, 0, offset, length);
      request(bytes, style, Command.BLOCK_STATUS, 0, offset, length);
    }
    request(bytes, style, Command.READ, 0, 0, 0xffff_fe00L);
    request(bytes, style, Command.FLUSH, CommandFlags.FAST_ZERO, 0, 0);
    request(bytes, style, 99, 0, 0, 512);
    if (extended) {
      request(bytes, style, Command.WRITE, 0, 0, 512);
      for (int[] listed : new int[][] {{0, 1}, {1}, {0, 0}, {2}, {0, 1, 0}, {}}) {
        request(
            bytes,
            style,
            Command.BLOCK_STATUS,
            CommandFlags.PAYLOAD_LEN,
            0,
            8 + 4L * listed.length);
        bytes.putLong(4096);
        for (int context : listed) {
          bytes.putInt(context);
        }
      }
      request(bytes, style, Command.BLOCK_STATUS, CommandFlags.PAYLOAD_LEN, 0, 14);
      bytes.putLong(4096).putInt(1).putShort((short) 0);
      request(bytes, style, Command.BLOCK_STATUS, CommandFlags.PAYLOAD_LEN, end - 512, 12);
      bytes.putLong(1024).putInt(0);
    }
    request(bytes, style, Command.DISC, 0, 0, 0);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static byte[] transmission(HeaderStyle style, int pieces) {
    boolean extended = style == HeaderStyle.EXTENDED;
    int carries = extended ? CommandFlags.PAYLOAD_LEN : 0;
    ByteBuffer bytes = ByteBuffer.allocate(8192);
    bytes.put((byte) style.ordinal()).put((byte) pieces);
    request(bytes, style, Command.READ, 0, 512, 1024);
    request(bytes, style, Command.WRITE, carries | CommandFlags.FUA, 4096, 64);
    bytes.position(bytes.position() + 64);
    request(bytes, style, Command.FLUSH, 0, 0, 0);
    request(bytes, style, Command.TRIM, CommandFlags.FUA, 0, 8192);
    request(bytes, style, Command.CACHE, 0, 0, 100);
    request(bytes, style, Command.WRITE_ZEROES, CommandFlags.NO_HOLE, 1024, 2048);
    request(bytes, style, Command.WRITE_ZEROES, CommandFlags.FAST_ZERO, 1024, 2048);
    if (style != HeaderStyle.SIMPLE) {
      request(bytes, style, Command.READ, CommandFlags.DF, 0, 4096);
      request(bytes, style, Command.BLOCK_STATUS, 0, 0, 65536);
      request(bytes, style, Command.BLOCK_STATUS, CommandFlags.REQ_ONE, 512, 512);
      request(bytes, style, Command.BLOCK_STATUS, CommandFlags.REQ_ONE, 0, 65536);
    }
    if (extended) {
      request(bytes, style, Command.BLOCK_STATUS, CommandFlags.PAYLOAD_LEN, 0, 12);
      bytes.putLong(65536).putInt(0);
    }
    request(bytes, style, Command.RESIZE, 0, 0, 0);
    request(bytes, style, Command.DISC, 0, 0, 0);
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static void request(
      ByteBuffer bytes, HeaderStyle style, int command, int flags, long offset, long length) {
    RequestHeader header = new RequestHeader();
    header.command = command;
    header.flags = flags;
    header.cookie = bytes.position();
    header.offset = offset;
    header.length = length;
    header.write(MemorySegment.ofBuffer(bytes.duplicate().clear()), bytes.position(), style);
    bytes.position(bytes.position() + style.requestBytes());
  }
}
