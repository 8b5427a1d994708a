// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.StatxConstants;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/**
 * Makes sockets that servers listen at: what a process that was killed has left at a path is put
 * out of the way, what anybody uses is not, and a refusal is a sentence for the user. Any thread.
 */
public final class ListeningSocket {
  /** Who can connect to a local socket; anybody can to one of TCP. */
  public enum Access {
    /** Whom the process's umask lets write to a new file. */
    UMASK,
    /** The user of this process, and who may do everything (mode 0600). */
    OWNER
  }

  private ListeningSocket() {}

  /**
   * A socket that waits for connections. Whoever closes a local one removes its path.
   *
   * @param backlog how many connections may wait to be accepted
   * @throws ListenException if that is not possible there
   */
  public static StreamSocket open(Endpoint endpoint, int backlog, Access access)
      throws ListenException {
    try {
      return replacing(endpoint, backlog, access);
    } catch (LinuxException e) {
      throw new ListenException(
          "cannot listen at '%s': %s".formatted(endpoint, reason(endpoint, e)), e);
    }
  }

  private static StreamSocket replacing(Endpoint endpoint, int backlog, Access access)
      throws LinuxException {
    try {
      return StreamSocket.listen(endpoint, backlog, access);
    } catch (LinuxException e) {
      if (e.errno() != Errno.EADDRINUSE || !removeStale(endpoint)) {
        throw e;
      }
      return StreamSocket.listen(endpoint, backlog, access);
    }
  }

  private static boolean removeStale(Endpoint endpoint) {
    try {
      return endpoint instanceof Endpoint.Unix(var path)
          && isStale(path)
          && Files.deleteIfExists(path);
    } catch (IOException e) {
      return false; // it stays in the way
    }
  }

  /**
   * Whether a path is that of a local socket which nobody listens at any more: left behind by a
   * process that was killed. What is no socket is not, although connecting to it is refused alike.
   */
  static boolean isStale(Path path) throws LinuxException {
    return isSocket(path) && StreamSocket.isRefused(new Endpoint.Unix(path));
  }

  private static boolean isSocket(Path path) {
    try {
      int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
      return (mode & StatxConstants.S_IFMT) == StatxConstants.S_IFSOCK;
    } catch (IOException e) {
      return false; // there is nothing, or nothing to be seen
    }
  }

  private static String reason(Endpoint endpoint, LinuxException failure) {
    if (endpoint instanceof Endpoint.Unix(var path)) {
      switch (failure.errno()) {
        case Errno.EADDRINUSE -> {
          return isSocket(path) ? "somebody listens there" : "something is there that is no socket";
        }
        case Errno.ENAMETOOLONG -> {
          return "a socket's path takes %d bytes, and this one has %d"
              .formatted(
                  SocketAddresses.LONGEST_PATH,
                  path.toString().getBytes(StandardCharsets.UTF_8).length);
        }
        default -> {}
      }
    }
    return Errno.message(failure.errno());
  }
}
