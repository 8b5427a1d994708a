// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The channel on which a back end speaks of its own accord (vhost-user specification, section
 * "Back-end message types"). All that is understood is that the configuration has changed; for the
 * rest, those who want an answer are told that it has failed. One thread at a time, which waits.
 */
final class FrontEndChannel implements AutoCloseable {
  private static final int CONFIG_CHANGED = 2;
  private static final int VERSION = 1;
  private static final int REPLY = 1 << 2;
  private static final int NEED_REPLY = 1 << 3;
  private static final int HEADER_BYTES = 12;
  private static final int MOST_PAYLOAD_BYTES = 4096;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final UnixSocket own;
  private final UnixSocket theirs;

  FrontEndChannel() throws LinuxException {
    List<UnixSocket> pair = UnixSocket.pair(UnixSocket.Type.STREAM);
    own = pair.get(0);
    theirs = pair.get(1);
  }

  /** What becomes readable when there is a message, or the back end has closed its end. */
  Fd fd() {
    return own.fd();
  }

  /** The end that the back end gets. */
  Fd theirEnd() {
    return theirs.fd();
  }

  /** The back end has its end. */
  void handedOver() {
    theirs.close();
  }

  /** What {@link #receive} got. */
  enum Received {
    CONFIG_CHANGE,
    ANYTHING_ELSE,
    END
  }

  /**
   * Waits for a message, and answers it.
   *
   * @throws NoAnswerException if it takes too long to come, or the answer to be taken
   */
  Received receive(Patience patience) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(HEADER_BYTES);
      if (!fill(header, patience)) {
        return Received.END;
      }
      int code = header.get(INT, 0);
      int payload = header.get(INT, 8);
      if (Integer.compareUnsigned(payload, MOST_PAYLOAD_BYTES) > 0) {
        throw new VhostUserException(
            "a message of " + Integer.toUnsignedString(payload) + " bytes on its channel");
      }
      if (payload > 0 && !fill(arena.allocate(payload), patience)) {
        return Received.END;
      }
      if ((header.get(INT, 4) & NEED_REPLY) != 0) {
        answer(arena, code, code == CONFIG_CHANGED ? 0 : 1, patience);
      }
      return code == CONFIG_CHANGED ? Received.CONFIG_CHANGE : Received.ANYTHING_ELSE;
    }
  }

  private boolean fill(MemorySegment target, Patience patience) throws IOException {
    long done = 0;
    while (done < target.byteSize()) {
      patience.awaitInput(own.fd());
      // No message that is understood has descriptors.
      UnixSocket.Received received = own.receive(target.asSlice(done), 0);
      if (received.bytes() == 0) {
        return false;
      }
      done += received.bytes();
    }
    return true;
  }

  private void answer(Arena arena, int code, long result, Patience patience) throws IOException {
    MemorySegment reply = arena.allocate(HEADER_BYTES + Long.BYTES);
    reply.set(INT, 0, code);
    reply.set(INT, 4, VERSION | REPLY);
    reply.set(INT, 8, Long.BYTES);
    reply.set(LONG, HEADER_BYTES, result);
    long done = 0;
    while (done < reply.byteSize()) {
      patience.awaitRoom(own.fd());
      done += own.send(reply.asSlice(done), List.of());
    }
  }

  /** Ends it: who waits for a message gets none. Any thread. */
  void shutdown() throws LinuxException {
    own.shutdown();
  }

  @Override
  public void close() {
    own.close();
    theirs.close();
  }
}
