// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.OptionReply;
import dev.spindle.block.nbd.OptionType;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.TransmissionFlags;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** A server that says what a test wants, on one thread, to one client after the other. */
final class FakeServer implements AutoCloseable {
  static final long SIZE = 1 << 20;
  static final int CONTEXT = 7;

  /** What is said to a client. */
  @FunctionalInterface
  interface Script {
    /**
     * Speaks to a client; its connection ends with this.
     *
     * @param connection 0 for the first client's
     */
    void run(Conversation conversation, int connection) throws IOException;
  }

  /** A request as it comes. */
  record Request(int flags, int command, long cookie, long offset, long length) {}

  private final ServerSocketChannel listener;
  private final Thread thread;

  FakeServer(Path socket, Script script) throws IOException {
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    thread = Thread.ofPlatform().daemon().name("fake-server").start(() -> serve(script));
  }

  private void serve(Script script) {
    for (int connection = 0; ; connection++) {
      try (SocketChannel channel = listener.accept()) {
        script.run(new Conversation(channel), connection);
      } catch (java.nio.channels.ClosedChannelException e) {
        if (!listener.isOpen()) {
          return;
        }
      } catch (IOException e) {
        // The client has gone, as it should.
      }
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    thread.interrupt();
  }

  /** One connection, at the server's end. */
  static final class Conversation {
    final DataInputStream in;
    final DataOutputStream out;
    private HeaderStyle style;

    Conversation(SocketChannel channel) {
      this.in = new DataInputStream(Channels.newInputStream(channel));
      this.out = new DataOutputStream(Channels.newOutputStream(channel));
    }

    void greet() throws IOException {
      out.writeLong(Handshake.INIT_MAGIC);
      out.writeLong(Handshake.OPTION_MAGIC);
      out.writeShort(Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES);
      out.flush();
      in.readInt();
    }

    /** Reads an option, and leaves its data aside; returns its number. */
    int option() throws IOException {
      in.readLong();
      int option = in.readInt();
      in.readNBytes(in.readInt());
      return option;
    }

    void answer(int option, OptionReply reply, byte[] data) throws IOException {
      out.writeLong(Handshake.REPLY_MAGIC);
      out.writeInt(option);
      out.writeInt(reply.number());
      out.writeInt(data.length);
      out.write(data);
      out.flush();
    }

    static byte[] exportInfo(long size, int flags) {
      return ByteBuffer.allocate(12)
          .putShort((short) 0)
          .putLong(size)
          .putShort((short) flags)
          .array();
    }

    static byte[] blockSizes(int minimum, int preferred, int maximum) {
      return ByteBuffer.allocate(14)
          .putShort((short) 3)
          .putInt(minimum)
          .putInt(preferred)
          .putInt(maximum)
          .array();
    }

    /** Says what an honest server says, until the client may send requests. */
    void negotiate(HeaderStyle wanted) throws IOException {
      negotiate(wanted, exportInfo(SIZE, flags()));
    }

    private static int flags() {
      return TransmissionFlags.HAS_FLAGS
          | TransmissionFlags.SEND_FLUSH
          | TransmissionFlags.SEND_FUA;
    }

    void negotiate(HeaderStyle wanted, byte[]... infos) throws IOException {
      style = wanted;
      greet();
      while (true) {
        int number = option();
        switch (OptionType.of(number)) {
          case EXTENDED_HEADERS -> agree(number, wanted == HeaderStyle.EXTENDED);
          case STRUCTURED_REPLY -> agree(number, wanted == HeaderStyle.STRUCTURED);
          case SET_META_CONTEXT -> {
            byte[] name = "base:allocation".getBytes(java.nio.charset.StandardCharsets.UTF_8);
            byte[] data = ByteBuffer.allocate(4 + name.length).putInt(CONTEXT).put(name).array();
            answer(number, OptionReply.META_CONTEXT, data);
            answer(number, OptionReply.ACK, new byte[0]);
          }
          case GO -> {
            for (byte[] info : infos) {
              answer(number, OptionReply.INFO, info);
            }
            answer(number, OptionReply.ACK, new byte[0]);
            return;
          }
          default -> answer(number, OptionReply.ERR_UNSUP, new byte[0]);
        }
      }
    }

    private void agree(int option, boolean yes) throws IOException {
      answer(option, yes ? OptionReply.ACK : OptionReply.ERR_UNSUP, new byte[0]);
    }

    /** Waits for a request, and leaves its payload aside. */
    Request request() throws IOException {
      in.readInt();
      int flags = in.readUnsignedShort();
      int command = in.readUnsignedShort();
      long cookie = in.readLong();
      long offset = in.readLong();
      long length =
          style == HeaderStyle.EXTENDED ? in.readLong() : Integer.toUnsignedLong(in.readInt());
      if (command == 1) {
        in.readNBytes((int) length);
      }
      return new Request(flags, command, cookie, offset, length);
    }

    /** Sends the head of a simple reply. */
    void simple(long cookie, int error) throws IOException {
      out.writeInt(0x67446698);
      out.writeInt(error);
      out.writeLong(cookie);
      out.flush();
    }

    /** Answers a request with an error. */
    void refuse(Request request, int error) throws IOException {
      if (style == HeaderStyle.SIMPLE) {
        simple(request.cookie(), error);
      } else {
        byte[] body = ByteBuffer.allocate(6).putInt(error).array();
        chunk(ReplyChunk.DONE, ReplyChunk.ERROR, request.cookie(), body);
      }
    }

    /** Sends the head of a piece, structured or extended, and part of its body. */
    void chunk(int flags, int type, long cookie, long length, byte[] body) throws IOException {
      boolean extended = style == HeaderStyle.EXTENDED;
      out.writeInt(extended ? 0x6e8a278c : 0x668e33ef);
      out.writeShort(flags);
      out.writeShort(type);
      out.writeLong(cookie);
      if (extended) {
        out.writeLong(0);
        out.writeLong(length);
      } else {
        out.writeInt((int) length);
      }
      out.write(body);
      out.flush();
    }

    /** Sends a piece as it should be. */
    void chunk(int flags, int type, long cookie, byte[] body) throws IOException {
      chunk(flags, type, cookie, body.length, body);
    }

    /** A piece of data. */
    void data(int flags, Request request, long offset, int length) throws IOException {
      byte[] body = ByteBuffer.allocate(8 + length).putLong(offset).array();
      java.util.Arrays.fill(body, 8, body.length, (byte) 0x5a);
      chunk(flags, ReplyChunk.OFFSET_DATA, request.cookie(), body);
    }

    /** A piece that tells the status of the start of a range. */
    void status(int flags, Request request, int length, int status) throws IOException {
      if (style == HeaderStyle.EXTENDED) {
        byte[] body =
            ByteBuffer.allocate(24)
                .putInt(CONTEXT)
                .putInt(1)
                .putLong(length)
                .putLong(status)
                .array();
        chunk(flags, ReplyChunk.BLOCK_STATUS_EXT, request.cookie(), body);
      } else {
        byte[] body = ByteBuffer.allocate(12).putInt(CONTEXT).putInt(length).putInt(status).array();
        chunk(flags, ReplyChunk.BLOCK_STATUS, request.cookie(), body);
      }
    }

    static byte[] hole(long offset, int length) {
      return ByteBuffer.allocate(12).putLong(offset).putInt(length).array();
    }

    /** Answers reads and flushes as an honest server does, until the client leaves. */
    void serve() throws IOException {
      while (true) {
        Request request = request();
        if (request.command() == 2) {
          return;
        }
        if (style == HeaderStyle.SIMPLE) {
          simple(request.cookie(), 0);
          if (request.command() == 0) {
            byte[] data = new byte[(int) request.length()];
            java.util.Arrays.fill(data, (byte) 0x5a);
            out.write(data);
            out.flush();
          }
        } else if (request.command() == 0) {
          data(ReplyChunk.DONE, request, request.offset(), (int) request.length());
        } else {
          chunk(ReplyChunk.DONE, ReplyChunk.NONE, request.cookie(), new byte[0]);
        }
      }
    }

    /** Waits until the client has closed the connection. */
    void awaitEnd() throws IOException {
      while (in.read() >= 0) {
        // Requests it has sent before it knew.
      }
    }
  }
}
