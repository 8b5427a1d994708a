// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A stream socket, local or of TCP, for I/O through a ring: {@link
 * dev.spindle.linux.uring.SubmissionQueue} connects, accepts, sends and receives; these calls do
 * the rest, and do not wait. Closed on exec. Any thread.
 */
public final class StreamSocket implements AutoCloseable {
  private final Fd fd;

  private StreamSocket(Fd fd) {
    this.fd = fd;
  }

  /** A socket that can be connected to an endpoint. */
  public static StreamSocket create(Endpoint endpoint) throws LinuxException {
    long result =
        Syscall.invoke(
            SyscallNumber.SOCKET,
            SocketAddresses.family(endpoint),
            SocketConstants.SOCK_STREAM | SocketConstants.SOCK_CLOEXEC,
            0);
    String name = endpoint.toString();
    return adopt(Fd.owning((int) LinuxException.check("socket", name, result), name));
  }

  /**
   * A socket that waits for connections. A local one makes its path, which must not exist yet and
   * stays after {@link #close}.
   *
   * @param backlog how many connections may wait to be accepted
   */
  public static StreamSocket listen(Endpoint endpoint, int backlog) throws LinuxException {
    return listen(endpoint, backlog, ListeningSocket.Access.UMASK);
  }

  static StreamSocket listen(Endpoint endpoint, int backlog, ListeningSocket.Access access)
      throws LinuxException {
    StreamSocket socket = create(endpoint);
    try (Arena arena = Arena.ofConfined()) {
      if (endpoint instanceof Endpoint.Inet) {
        // The port of a server that has just ended can be had at once.
        socket.set(SocketConstants.SOL_SOCKET, SocketConstants.SO_REUSEADDR, "SO_REUSEADDR", 1);
      }
      MemorySegment address = SocketAddresses.encode(endpoint, "bind", arena);
      socket.check(
          "bind",
          Syscall.invoke(
              SyscallNumber.BIND, socket.fd.number(), address.address(), address.byteSize()));
      if (access == ListeningSocket.Access.OWNER && endpoint instanceof Endpoint.Unix(var path)) {
        // Nobody can connect before it listens.
        restrict(path);
      }
      socket.check("listen", Syscall.invoke(SyscallNumber.LISTEN, socket.fd.number(), backlog));
      return socket;
    } catch (LinuxException e) {
      socket.close();
      throw e;
    }
  }

  private static void restrict(Path path) throws LinuxException {
    try {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      throw new LinuxException("chmod", path.toString(), Errno.EPERM);
    }
  }

  /** Whether a connection is refused because nobody listens. Does not wait. */
  static boolean isRefused(Endpoint endpoint) throws LinuxException {
    try (StreamSocket probe = create(endpoint);
        Arena arena = Arena.ofConfined()) {
      // Where many wait to be accepted this one would, too.
      probe.fd.setNonBlocking(true);
      MemorySegment address = SocketAddresses.encode(endpoint, "connect", arena);
      return Syscall.invoke(
              SyscallNumber.CONNECT, probe.fd.number(), address.address(), address.byteSize())
          == -Errno.ECONNREFUSED;
    }
  }

  /** Takes over a stream socket, one that was accepted for example. */
  public static StreamSocket adopt(Fd fd) {
    return new StreamSocket(fd);
  }

  /** The descriptor, owned by this object. */
  public Fd fd() {
    return fd;
  }

  /** Where it is bound; tells the port of one that was bound to port 0. */
  public Endpoint localEndpoint() throws LinuxException {
    return endpoint("getsockname", SyscallNumber.GETSOCKNAME);
  }

  /** The other end; of a local socket, which has no name there, the path of this end. */
  public Endpoint peerEndpoint() throws LinuxException {
    return endpoint("getpeername", SyscallNumber.GETPEERNAME);
  }

  private Endpoint endpoint(String call, int number) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(SocketAddresses.LONGEST, 8);
      MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, SocketAddresses.LONGEST);
      check(call, Syscall.invoke(number, fd.number(), address.address(), length.address()));
      return SocketAddresses.decode(address, fd.name());
    }
  }

  /** Has TCP send what it is given at once (TCP_NODELAY). */
  public void setNoDelay() throws LinuxException {
    set(SocketConstants.IPPROTO_TCP, SocketConstants.TCP_NODELAY, "TCP_NODELAY", 1);
  }

  /**
   * Says how much may be on its way to the other end of a local socket (SO_SNDBUF); TCP knows
   * better by itself.
   *
   * @param bytes positive; the kernel takes as many as net.core.wmem_max allows
   */
  public void setSendBuffer(int bytes) throws LinuxException {
    set(SocketConstants.SOL_SOCKET, SocketConstants.SO_SNDBUF, "SO_SNDBUF", bytes);
  }

  private void set(int level, int option, String name, int number) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_INT, number);
      check(
          "setsockopt(" + name + ")",
          Syscall.invoke(
              SyscallNumber.SETSOCKOPT,
              fd.number(),
              level,
              option,
              value.address(),
              value.byteSize(),
              0));
    }
  }

  /**
   * Sends what there is room for at once.
   *
   * @param data native memory
   * @param length how much of it, in bytes, from 1 on
   * @return how many bytes were taken
   * @throws LinuxException EAGAIN if there is no room at all, EPIPE or ECONNRESET if nobody
   *     receives any more
   */
  public int sendNow(MemorySegment data, int length) throws LinuxException {
    long result =
        Syscall.invoke(
            SyscallNumber.SENDTO,
            fd.number(),
            data.asSlice(0, length).address(),
            length,
            SocketConstants.MSG_DONTWAIT | SocketConstants.MSG_NOSIGNAL,
            0,
            0);
    Reference.reachabilityFence(data);
    return (int) LinuxException.check("send", fd.name(), result);
  }

  /** Ends the connection both ways: whoever waits on either end gets to know. */
  public void shutdown() throws LinuxException {
    long result = Syscall.invoke(SyscallNumber.SHUTDOWN, fd.number(), SocketConstants.SHUT_RDWR);
    if (result != -Errno.ENOTCONN) {
      check("shutdown", result);
    }
  }

  private void check(String call, long result) throws LinuxException {
    LinuxException.check(call, fd.name(), result);
  }

  @Override
  public void close() {
    fd.close();
  }
}
