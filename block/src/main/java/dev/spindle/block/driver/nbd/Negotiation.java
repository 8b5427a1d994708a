// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.BlockSizes;
import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HandshakeChannel;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.InfoType;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.PlainChannel;
import dev.spindle.block.nbd.TlsChannel;
import dev.spindle.block.nbd.TransmissionFlags;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;

/**
 * The client's side of the newstyle negotiation (doc/proto.md, "Newstyle negotiation" and "Fixed
 * newstyle negotiation"). Straight-line code; whoever calls it limits its time.
 */
final class Negotiation {
  /** Old servers say this where others say that they have options. */
  private static final long OLDSTYLE_MAGIC = 0x00420281861253L;

  /** Replies to one option; no server has more to say. */
  private static final int MOST_REPLIES = 64;

  private static final int LARGEST_MINIMUM = 64 << 10;

  private static final long NO_CONTEXT = -1;

  private final NbdOptions options;

  /** Null for no TLS. */
  private final Upgrade tls;

  /** By what the two speak: plainly at first. */
  private HandshakeChannel channel;

  private boolean noZeroes;

  private long size;
  private boolean sizeKnown;
  private int flags;
  private BlockSizes sizes = BlockSizes.DEFAULT;

  /** Goes over to TLS, which the server has agreed to. */
  @FunctionalInterface
  interface Upgrade {
    /**
     * Does the TLS handshake.
     *
     * @return by which the negotiation goes on
     * @throws IOException if the two cannot agree
     */
    HandshakeChannel begin() throws IOException;
  }

  Negotiation(HandshakeChannel channel, NbdOptions options, Upgrade tls) {
    this.channel = channel;
    this.options = options;
    this.tls = tls;
  }

  /**
   * Negotiates until requests can be sent.
   *
   * @param plain newly connected
   * @param tls makes the client's end of TLS; null for no TLS
   * @throws NegotiationException if that is not possible
   * @throws IOException if the connection fails
   */
  static Link run(PlainChannel plain, NbdOptions options, Supplier<SSLEngine> tls)
      throws IOException {
    Upgrade upgrade = tls == null ? null : () -> TlsChannel.begin(plain, tls.get());
    Negotiation negotiation = new Negotiation(plain, options, upgrade);
    ExportTerms terms = negotiation.run();
    return new Link(negotiation.channel.toStream(), terms);
  }

  /** As {@link #run(PlainChannel, NbdOptions, Supplier)}, but leaves the channel as it is. */
  ExportTerms run() throws IOException {
    boolean fixed = greet();
    if (tls != null) {
      startTls(fixed);
    }
    HeaderStyle style = fixed ? agreeOnStyle() : HeaderStyle.SIMPLE;
    long context = style == HeaderStyle.SIMPLE ? NO_CONTEXT : chooseContext();
    if (options.metaContextRequired() && context == NO_CONTEXT) {
      throw new NegotiationException("the server has no '" + options.metaContext() + "'");
    }
    if (!fixed || !go()) {
      useExportByName();
    }
    check();
    return new ExportTerms(size, flags, sizes, style, context);
  }

  /** Returns whether the server answers options. */
  private boolean greet() throws IOException {
    ByteBuffer greeting = ByteBuffer.wrap(channel.read(Handshake.GREETING_BYTES));
    if (greeting.getLong() != Handshake.INIT_MAGIC) {
      throw new NegotiationException("that is no NBD server");
    }
    long magic = greeting.getLong();
    if (magic == OLDSTYLE_MAGIC) {
      throw new NegotiationException("the server only knows the oldstyle negotiation");
    }
    if (magic != Handshake.OPTION_MAGIC) {
      throw new NegotiationException("that is no NBD server");
    }
    int server = greeting.getShort();
    boolean fixed = (server & Handshake.FIXED_NEWSTYLE) != 0;
    noZeroes = (server & Handshake.NO_ZEROES) != 0;
    int client =
        (fixed ? Handshake.CLIENT_FIXED_NEWSTYLE : 0) | (noZeroes ? Handshake.CLIENT_NO_ZEROES : 0);
    channel.write(ByteBuffer.allocate(Handshake.CLIENT_FLAGS_BYTES).putInt(client).array());
    return fixed;
  }

  /** From here on nothing is sent or believed that is not encrypted. */
  private void startTls(boolean fixed) throws IOException {
    if (!fixed || !isGranted(OptionType.STARTTLS)) {
      throw new NegotiationException("the server does not offer TLS");
    }
    try {
      channel = tls.begin();
    } catch (SSLException e) {
      throw new NegotiationException("TLS: " + e.getMessage());
    }
  }

  private HeaderStyle agreeOnStyle() throws IOException {
    if (isGranted(OptionType.EXTENDED_HEADERS)) {
      return HeaderStyle.EXTENDED;
    }
    return isGranted(OptionType.STRUCTURED_REPLY) ? HeaderStyle.STRUCTURED : HeaderStyle.SIMPLE;
  }

  private boolean isGranted(OptionType option) throws IOException {
    send(option, new byte[0]);
    OptionAnswer answer = OptionAnswer.read(channel, option);
    if (answer.is(OptionReply.ERR_TLS_REQD)) {
      throw refusal(answer);
    }
    if (!answer.isError() && !answer.is(OptionReply.ACK)) {
      throw unexpected(option, answer);
    }
    return answer.is(OptionReply.ACK);
  }

  private long chooseContext() throws IOException {
    byte[] name = options.export().getBytes(StandardCharsets.UTF_8);
    byte[] wanted = options.metaContext().getBytes(StandardCharsets.UTF_8);
    send(
        OptionType.SET_META_CONTEXT,
        ByteBuffer.allocate(12 + name.length + wanted.length)
            .putInt(name.length)
            .put(name)
            .putInt(1)
            .putInt(wanted.length)
            .put(wanted)
            .array());
    long context = NO_CONTEXT;
    for (int i = 0; i < MOST_REPLIES; i++) {
      OptionAnswer answer = OptionAnswer.read(channel, OptionType.SET_META_CONTEXT);
      if (answer.isError() || answer.is(OptionReply.ACK)) {
        return answer.isError() ? NO_CONTEXT : context;
      }
      ByteBuffer data = answer.data();
      if (!answer.is(OptionReply.META_CONTEXT) || data.remaining() < 4 || context != NO_CONTEXT) {
        throw unexpected(OptionType.SET_META_CONTEXT, answer);
      }
      context = Integer.toUnsignedLong(data.getInt());
      if (!data.equals(ByteBuffer.wrap(wanted))) {
        throw new NegotiationException("the server offers a metadata context not asked for");
      }
    }
    throw endless(OptionType.SET_META_CONTEXT);
  }

  /** Returns false if the server does not know the option. */
  private boolean go() throws IOException {
    byte[] name = options.export().getBytes(StandardCharsets.UTF_8);
    send(
        OptionType.GO,
        ByteBuffer.allocate(8 + name.length)
            .putInt(name.length)
            .put(name)
            .putShort((short) 1)
            .putShort((short) InfoType.BLOCK_SIZE.number())
            .array());
    for (int i = 0; i < MOST_REPLIES; i++) {
      OptionAnswer answer = OptionAnswer.read(channel, OptionType.GO);
      if (answer.is(OptionReply.ACK)) {
        if (!sizeKnown) {
          throw new NegotiationException("the server does not tell the size of the export");
        }
        return true;
      }
      if (answer.is(OptionReply.ERR_UNSUP)) {
        return false;
      }
      if (answer.isError()) {
        throw refusal(answer);
      }
      if (!answer.is(OptionReply.INFO) || answer.data().remaining() < 2) {
        throw unexpected(OptionType.GO, answer);
      }
      learn(answer);
    }
    throw endless(OptionType.GO);
  }

  private void learn(OptionAnswer answer) throws NegotiationException {
    ByteBuffer data = answer.data();
    InfoType type = InfoType.of(Short.toUnsignedInt(data.getShort()));
    if (type == InfoType.EXPORT && data.remaining() == 10) {
      learnExport(data);
    } else if (type == InfoType.BLOCK_SIZE && data.remaining() == 12) {
      learnSizes(data.getInt(), data.getInt(), data.getInt());
    } else if (type == InfoType.EXPORT || type == InfoType.BLOCK_SIZE) {
      throw unexpected(OptionType.GO, answer);
    }
  }

  private void learnExport(ByteBuffer data) {
    sizeKnown = true;
    size = data.getLong();
    flags = Short.toUnsignedInt(data.getShort());
  }

  private void learnSizes(int minimum, int preferred, int maximum) throws NegotiationException {
    long most = Math.min(Integer.toUnsignedLong(maximum), BlockSizes.DEFAULT.maximumPayload());
    boolean possible =
        Integer.bitCount(minimum) == 1
            && minimum > 0
            && minimum <= LARGEST_MINIMUM
            && most >= minimum;
    if (!possible) {
      throw new NegotiationException(
          "the server wants impossible block sizes: at least %d, at most %d bytes"
              .formatted(Integer.toUnsignedLong(minimum), Integer.toUnsignedLong(maximum)));
    }
    sizes = new BlockSizes(minimum, preferred, (int) (most & -minimum));
  }

  private void useExportByName() throws IOException {
    byte[] name = options.export().getBytes(StandardCharsets.UTF_8);
    send(OptionType.EXPORT_NAME, name);
    try {
      learnExport(ByteBuffer.wrap(channel.read(Handshake.EXPORT_BYTES)));
    } catch (EOFException e) {
      // The only way of refusing that this option has.
      throw new NegotiationException(
          "the server has closed the connection when asked for its " + options.exportTitle());
    }
    if (!noZeroes) {
      channel.read(Handshake.EXPORT_ZEROES);
    }
  }

  private void check() throws NegotiationException {
    if ((flags & TransmissionFlags.HAS_FLAGS) == 0) {
      // Then the others mean nothing.
      flags = TransmissionFlags.HAS_FLAGS;
    }
    if (size < 0 || size > Long.MAX_VALUE - 511) {
      throw new NegotiationException(
          "the export has an impossible size: " + Long.toUnsignedString(size) + " bytes");
    }
    if (size % sizes.minimum() != 0) {
      throw new NegotiationException(
          "the export has %d bytes, which is not a multiple of its blocks of %d"
              .formatted(size, sizes.minimum()));
    }
  }

  private void send(OptionType option, byte[] data) throws IOException {
    byte[] message =
        ByteBuffer.allocate(Handshake.OPTION_HEADER_BYTES + data.length)
            .putLong(Handshake.OPTION_MAGIC)
            .putInt(option.number())
            .putInt(data.length)
            .put(data)
            .array();
    channel.write(message);
  }

  private NegotiationException refusal(OptionAnswer answer) {
    OptionReply reply = OptionReply.of(answer.number());
    if (reply == OptionReply.ERR_UNKNOWN) {
      return new NegotiationException(
          "the server has no %s (%s)".formatted(options.exportTitle(), answer.text()));
    }
    if (reply == OptionReply.ERR_TLS_REQD) {
      return new NegotiationException("the server asks for TLS");
    }
    return new NegotiationException("the server refuses: " + answer.text());
  }

  private static NegotiationException unexpected(OptionType option, OptionAnswer answer) {
    return new NegotiationException(
        "the server does not follow the protocol: reply 0x%x with %d bytes to %s"
            .formatted(answer.number(), answer.data().limit(), option));
  }

  private static NegotiationException endless(OptionType option) {
    return new NegotiationException("the server does not come to an end with " + option);
  }
}
