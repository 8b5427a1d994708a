// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.StraightLine;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import dev.spindle.linux.SocketMessage;
import dev.spindle.linux.StreamSocket;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;

/** Straight-line code that reads from a socket, and writes to it, by the context's ring. */
public final class PlainChannel implements HandshakeChannel {
  private static final int BUFFER_BYTES = 4096;

  private final AioContext context;
  private final StreamSocket socket;
  private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES);
  private final SocketMessage message = new SocketMessage(new IoVector(1));

  /**
   * Makes one.
   *
   * @param context the caller's
   * @param socket connected; stays the caller's until there is a stream
   */
  public PlainChannel(AioContext context, StreamSocket socket) {
    this.context = context;
    this.socket = socket;
  }

  @Override
  public byte[] read(int length) throws IOException {
    byte[] bytes = new byte[length];
    int done = 0;
    while (done < length) {
      int part = transfer(false, Math.min(length - done, BUFFER_BYTES));
      if (part == 0) {
        throw new EOFException("the connection ended");
      }
      MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, bytes, done, part);
      done += part;
    }
    return bytes;
  }

  /**
   * Waits for some bytes, as many as there are and have room.
   *
   * @throws IOException if the client sends no more, or the connection fails
   */
  int readSome(ByteBuffer target) throws IOException {
    int part = transfer(false, Math.min(target.remaining(), BUFFER_BYTES));
    if (part == 0) {
      throw new EOFException("the connection ended");
    }
    target.put(buffer.asSlice(0, part).asByteBuffer());
    return part;
  }

  @Override
  public void write(byte[] bytes) throws IOException {
    int done = 0;
    while (done < bytes.length) {
      int part = Math.min(bytes.length - done, BUFFER_BYTES);
      MemorySegment.copy(bytes, done, buffer, ValueLayout.JAVA_BYTE, 0, part);
      done += transfer(true, part);
    }
  }

  private int transfer(boolean out, int length) throws IOException {
    IoVector buffers = message.buffers();
    buffers.clear();
    buffers.add(buffer, 0, length);
    int file = ~socket.fd().number();
    while (true) {
      int result =
          StraightLine.run(
              context,
              (queue, token) ->
                  out
                      ? queue.prepSend(file, message, token)
                      : queue.prepReceive(file, message, token));
      if (result >= 0) {
        return result;
      }
      if (result == -Errno.EPIPE || result == -Errno.ECONNRESET) {
        throw new EOFException("the connection ended");
      }
      if (result != -Errno.EINTR && result != -Errno.EAGAIN) {
        throw new IOException(Errno.message(-result));
      }
    }
  }

  @Override
  public NbdStream toStream() {
    return new PlainStream(socket);
  }
}
