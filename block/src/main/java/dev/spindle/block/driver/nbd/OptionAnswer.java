// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HandshakeChannel;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * One reply to an option.
 *
 * @param number of {@link OptionReply}, maybe none of those
 * @param data big-endian, what came with it
 */
record OptionAnswer(int number, ByteBuffer data) {
  /** The longest there can be: two numbers and two strings. */
  private static final int LONGEST = 16 + 2 * Handshake.LONGEST_STRING;

  /** So much of what a server says is told, in characters. */
  private static final int MOST_TEXT = 200;

  /**
   * Waits for a reply.
   *
   * @throws NegotiationException if it is not one to this option, or too long
   */
  static OptionAnswer read(HandshakeChannel channel, OptionType option) throws IOException {
    ByteBuffer header = ByteBuffer.wrap(channel.read(Handshake.REPLY_HEADER_BYTES));
    long magic = header.getLong();
    int answered = header.getInt();
    int number = header.getInt();
    int length = header.getInt();
    if (magic != Handshake.REPLY_MAGIC) {
      throw new NegotiationException(
          "the server does not follow the protocol: no reply to " + option);
    }
    if (answered != option.number()) {
      throw new NegotiationException(
          "the server answers option %d instead of %s".formatted(answered, option));
    }
    if (length < 0 || length > LONGEST) {
      throw new NegotiationException(
          "the server answers %s with %d bytes, more than any answer has"
              .formatted(option, Integer.toUnsignedLong(length)));
    }
    return new OptionAnswer(number, ByteBuffer.wrap(channel.read(length)));
  }

  boolean is(OptionReply reply) {
    return number == reply.number();
  }

  boolean isError() {
    return OptionReply.isError(number);
  }

  /** What the server says, to be put after a colon. */
  String text() {
    // No control characters: it goes to logs and terminals.
    String said =
        StandardCharsets.UTF_8
            .decode(data.duplicate())
            .toString()
            .replaceAll("\\p{C}", " ")
            .strip();
    OptionReply known = OptionReply.of(number);
    String kind = known == null ? "error 0x%x".formatted(number) : known.toString();
    if (said.length() > MOST_TEXT) {
      said = said.substring(0, MOST_TEXT) + "…";
    }
    return said.isEmpty() ? kind : said;
  }
}
