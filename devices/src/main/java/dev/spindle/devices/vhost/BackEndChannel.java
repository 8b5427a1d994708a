// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The channel on which a back end speaks of its own accord (vhost-user specification, section
 * "Back-end message types"). Control side; never waits: a front end that does not listen misses
 * what is said.
 */
final class BackEndChannel implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(BackEndChannel.class);
  private static final int CONFIG_CHANGED = 2;
  private static final int VERSION = 1;
  private static final int HEADER_BYTES = 12;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final UnixSocket socket;

  /** Whether a message has gone out in part, so that none can follow it. */
  private boolean broken;

  private BackEndChannel(UnixSocket socket) {
    this.socket = socket;
  }

  /**
   * Takes over the front end's descriptor.
   *
   * @param fd stays the caller's if this fails
   * @throws VhostUserException if it is no connected local stream
   */
  static BackEndChannel of(Fd fd) throws VhostUserException {
    UnixSocket socket = UnixSocket.adopt(fd);
    try {
      if (socket.isStream() && !socket.isListeningStream()) {
        return new BackEndChannel(socket);
      }
    } catch (LinuxException e) {
      throw new VhostUserException("SET_BACKEND_REQ_FD comes with what is no socket", e);
    }
    throw new VhostUserException("SET_BACKEND_REQ_FD comes with what is no local stream socket");
  }

  /** The configuration space has changed. No answer is asked for. */
  void configChanged() {
    if (broken) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment message = arena.allocateFrom(INT, CONFIG_CHANGED, VERSION, 0);
      broken = socket.trySend(message, List.of()) != HEADER_BYTES;
    } catch (LinuxException e) {
      LOG.info("a client does not hear of its disk's new length: {}", e.getMessage());
    }
  }

  @Override
  public void close() {
    socket.close();
  }
}
