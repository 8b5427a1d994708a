// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.ReplyHeader;
import dev.spindle.block.nbd.RequestHeader;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import javax.net.ssl.SSLEngine;

/** A client that can say what no decent client says. */
final class RawClient implements AutoCloseable {
  /** Of every request. */
  static final long COOKIE = 0x1234_5678_9abc_def0L;

  final SocketChannel channel;

  /** The channel, or what goes through it by TLS. */
  private ByteChannel bytes;

  private HeaderStyle style = HeaderStyle.SIMPLE;

  /** The last reply to an option. */
  int replyType;

  byte[] replyData;

  /** The last header of a reply to a request. */
  final ReplyHeader reply = new ReplyHeader();

  /** Connects, and says nothing. */
  RawClient(Path path) throws IOException {
    channel = SocketChannel.open(UnixDomainSocketAddress.of(path));
    bytes = channel;
  }

  /** Connects, and exchanges flags. */
  static RawClient greeted(Path path) throws IOException {
    RawClient client = new RawClient(path);
    ByteBuffer greeting = client.read(Handshake.GREETING_BYTES);
    assertEquals(Handshake.INIT_MAGIC, greeting.getLong());
    assertEquals(Handshake.OPTION_MAGIC, greeting.getLong());
    assertEquals(3, greeting.getShort());
    client.write(ByteBuffer.allocate(4).putInt(3));
    return client;
  }

  /** A client that uses the export. */
  static RawClient using(Path path, HeaderStyle style) throws IOException {
    RawClient client = greeted(path);
    client.agree(style);
    client.go();
    return client;
  }

  /** Agrees on headers. */
  void agree(HeaderStyle wanted) throws IOException {
    switch (wanted) {
      case SIMPLE -> {}
      case STRUCTURED -> ask(OptionType.STRUCTURED_REPLY, ByteBuffer.allocate(0));
      case EXTENDED -> ask(OptionType.EXTENDED_HEADERS, ByteBuffer.allocate(0));
    }
    style = wanted;
  }

  /** Goes on by TLS. */
  TlsBytes startTls(SSLEngine engine) throws IOException {
    assertEquals(OptionReply.ACK.number(), ask(OptionType.STARTTLS, ByteBuffer.allocate(0)));
    TlsBytes tls = new TlsBytes(channel, engine);
    bytes = tls;
    return tls;
  }

  /** Chooses the export. */
  void go() throws IOException {
    assertEquals(OptionReply.ACK.number(), ask(OptionType.GO, export("disk").putShort((short) 0)));
  }

  /** A name with its length, and room for more. */
  static ByteBuffer export(String name) {
    byte[] encoded = name.getBytes(UTF_8);
    return ByteBuffer.allocate(4 + encoded.length + 256).putInt(encoded.length).put(encoded);
  }

  void write(ByteBuffer message) throws IOException {
    message.flip();
    while (message.hasRemaining()) {
      bytes.write(message);
    }
  }

  ByteBuffer read(int length) throws IOException {
    ByteBuffer message = ByteBuffer.allocate(length);
    while (message.hasRemaining()) {
      if (bytes.read(message) < 0) {
        throw new EOFException();
      }
    }
    return message.flip();
  }

  /** Waits until the server has closed the connection, whatever it has to say before. */
  void assertClosed() throws IOException {
    ByteBuffer last = ByteBuffer.allocate(4096);
    try {
      while (channel.read(last) >= 0) {
        last.clear();
      }
    } catch (IOException e) {
      // Reset: what it was sent has not all been read.
      assertTrue(e.getMessage().startsWith("Connection reset"), e.getMessage());
    }
  }

  /** Sends an option's header. */
  void option(int option, int length) throws IOException {
    write(ByteBuffer.allocate(16).putLong(Handshake.OPTION_MAGIC).putInt(option).putInt(length));
  }

  /** Sends an option; returns the type of the last reply. */
  int ask(OptionType option, ByteBuffer data) throws IOException {
    option(option.number(), data.position());
    write(data);
    do {
      optionReply();
    } while (replyType == OptionReply.INFO.number()
        || replyType == OptionReply.SERVER.number()
        || replyType == OptionReply.META_CONTEXT.number());
    return replyType;
  }

  void optionReply() throws IOException {
    ByteBuffer header = read(Handshake.REPLY_HEADER_BYTES);
    assertEquals(Handshake.REPLY_MAGIC, header.getLong());
    header.getInt();
    replyType = header.getInt();
    replyData = read(header.getInt()).array();
  }

  /** Sends a request's header. */
  void request(int command, int flags, long offset, long length) throws IOException {
    RequestHeader header = new RequestHeader();
    header.command = command;
    header.flags = flags;
    header.cookie = COOKIE;
    header.offset = offset;
    header.length = length;
    ByteBuffer message = ByteBuffer.allocate(style.requestBytes());
    header.write(MemorySegment.ofBuffer(message), 0, style);
    write(message.position(style.requestBytes()));
  }

  /** Receives the header of a reply, and what comes with it but for simple replies. */
  ByteBuffer reply() throws IOException {
    ByteBuffer first = read(ReplyHeader.SIMPLE_BYTES);
    HeaderStyle found = ReplyHeader.styleOf(MemorySegment.ofBuffer(first), 0);
    ByteBuffer header = ByteBuffer.allocate(found.replyBytes()).put(first);
    header.put(read(header.remaining()));
    reply.read(MemorySegment.ofBuffer(header.flip()), 0, found);
    assertEquals(COOKIE, reply.cookie);
    return read((int) reply.length);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
