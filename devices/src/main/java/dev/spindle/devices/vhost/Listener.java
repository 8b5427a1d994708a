// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockException;
import dev.spindle.devices.vhost.VhostUserBlkOptions.Address;
import dev.spindle.linux.Endpoint;
import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.ListenException;
import dev.spindle.linux.ListeningSocket;
import dev.spindle.linux.ListeningSocket.Access;
import dev.spindle.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where clients knock. One thread waits for them; any thread may stop that. */
final class Listener {
  private static final Logger LOG = LoggerFactory.getLogger(Listener.class);
  private static final int BACKLOG = 16;

  private final UnixSocket socket;
  private final Optional<Path> path;

  /** With this object's lock. */
  private boolean closed;

  private Listener(UnixSocket socket, Optional<Path> path) {
    this.socket = socket;
    this.path = path;
  }

  /**
   * Begins to listen.
   *
   * @param export whose clients come, by its id
   * @throws BlockException if that is not possible there
   */
  static Listener open(String export, Address address) throws BlockException {
    try {
      return switch (address) {
        case Address.Unix(Path at) ->
            new Listener(
                UnixSocket.adopt(
                    ListeningSocket.open(new Endpoint.Unix(at), BACKLOG, Access.UMASK).fd()),
                Optional.of(at));
        case Address.Inherited(int number) ->
            new Listener(inherited(export, number), Optional.empty());
      };
    } catch (ListenException e) {
      throw refusal(export, e.getMessage(), e);
    } catch (LinuxException e) {
      throw refusal(export, "cannot listen: " + e.getMessage(), e);
    }
  }

  private static BlockException refusal(String export, String reason, IOException cause) {
    return new BlockException("Export '%s': %s".formatted(export, reason), cause);
  }

  private static UnixSocket inherited(String export, int number)
      throws LinuxException, BlockException {
    String name = "descriptor " + number;
    try {
      if (UnixSocket.adopt(Fd.borrowed(number, name)).isListeningStream()) {
        return UnixSocket.adopt(Fd.owning(number, name));
      }
    } catch (LinuxException e) {
      if (e.errno() != Errno.ENOTSOCK) {
        throw e;
      }
    }
    throw new BlockException(
        "Export '%s': %s is no local stream socket that listens".formatted(export, name));
  }

  /** Waits for a client. */
  UnixSocket accept() throws LinuxException {
    return socket.accept();
  }

  /** Nobody can knock any more, and whoever waits returns. */
  synchronized void stop() {
    try {
      if (path.isPresent()) {
        Files.deleteIfExists(path.get());
      }
      if (!closed) {
        socket.shutdown();
      }
    } catch (IOException e) {
      LOG.warn("a socket stays behind: {}", e.getMessage());
    }
  }

  /** Gives the socket back, once nobody waits. */
  synchronized void close() {
    closed = true;
    socket.close();
  }
}
