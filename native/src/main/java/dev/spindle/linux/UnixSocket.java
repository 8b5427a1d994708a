// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.SocketLayouts.Cmsghdr;
import dev.spindle.linux.internal.SocketLayouts.Msghdr;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A local socket (unix(7)) that passes bytes and file descriptors. Blocking; closed on exec. Any
 * thread may use it, one sending and one receiving at a time.
 */
public final class UnixSocket implements AutoCloseable {
  /** How bytes are framed. */
  public enum Type {
    /** A stream without boundaries. */
    STREAM(SocketConstants.SOCK_STREAM),
    /** Messages that arrive as they were sent, in order. */
    SEQUENCED_PACKETS(SocketConstants.SOCK_SEQPACKET);

    private final int number;

    Type(int number) {
      this.number = number;
    }
  }

  /**
   * What {@link #receive} got.
   *
   * @param bytes how many were stored; 0 when the other end is closed
   * @param descriptors those that came along, now owned by the receiver
   */
  public record Received(long bytes, List<Fd> descriptors) {}

  /** The most descriptors that the kernel takes with one message (SCM_MAX_FD). */
  public static final int MAX_DESCRIPTORS = 253;

  private final Fd fd;

  private UnixSocket(Fd fd) {
    this.fd = fd;
  }

  /** Two sockets connected to each other. */
  public static List<UnixSocket> pair(Type type) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment numbers = arena.allocate(ValueLayout.JAVA_INT, 2);
      long result =
          Syscall.invoke(
              SyscallNumber.SOCKETPAIR,
              SocketConstants.AF_UNIX,
              type.number | SocketConstants.SOCK_CLOEXEC,
              0,
              numbers.address());
      LinuxException.check("socketpair", "", result);
      return List.of(
          new UnixSocket(Fd.owning(numbers.getAtIndex(ValueLayout.JAVA_INT, 0), "socket pair")),
          new UnixSocket(Fd.owning(numbers.getAtIndex(ValueLayout.JAVA_INT, 1), "socket pair")));
    }
  }

  /**
   * A socket that waits for connections at a path, which must not exist yet and stays after {@link
   * #close}.
   *
   * @param backlog how many connections may wait for {@link #accept}
   */
  public static UnixSocket listen(Path path, Type type, int backlog) throws LinuxException {
    Fd fd = create(path, type);
    try {
      named("bind", SyscallNumber.BIND, fd, path);
      LinuxException.check(
          "listen", fd.name(), Syscall.invoke(SyscallNumber.LISTEN, fd.number(), backlog));
      return new UnixSocket(fd);
    } catch (LinuxException e) {
      fd.close();
      throw e;
    }
  }

  /** Takes over a local socket that somebody else has made, connected or listening. */
  public static UnixSocket adopt(Fd fd) {
    return new UnixSocket(fd);
  }

  /**
   * A socket connected to the one that listens at a path. Does not wait.
   *
   * @throws LinuxException EAGAIN if as many wait there to be accepted as may
   */
  public static UnixSocket connect(Path path, Type type) throws LinuxException {
    Fd fd = create(path, type);
    try {
      // A local socket is connected at once or not at all; only what comes then may wait.
      fd.setNonBlocking(true);
      named("connect", SyscallNumber.CONNECT, fd, path);
      fd.setNonBlocking(false);
      return new UnixSocket(fd);
    } catch (LinuxException e) {
      fd.close();
      throw e;
    }
  }

  private static Fd create(Path path, Type type) throws LinuxException {
    long result =
        Syscall.invoke(
            SyscallNumber.SOCKET,
            SocketConstants.AF_UNIX,
            type.number | SocketConstants.SOCK_CLOEXEC,
            0);
    String name = path.toString();
    return Fd.owning((int) LinuxException.check("socket", name, result), name);
  }

  private static void named(String call, int number, Fd fd, Path path) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = SocketAddresses.encode(new Endpoint.Unix(path), call, arena);
      long result;
      do {
        result = Syscall.invoke(number, fd.number(), address.address(), address.byteSize());
      } while (result == -Errno.EINTR);
      LinuxException.check(call, fd.name(), result);
    }
  }

  /** Waits for a connection. */
  public UnixSocket accept() throws LinuxException {
    long result;
    do {
      result =
          Syscall.invoke(SyscallNumber.ACCEPT4, fd.number(), 0, 0, SocketConstants.SOCK_CLOEXEC);
    } while (result == -Errno.EINTR);
    return new UnixSocket(
        Fd.owning((int) LinuxException.check("accept", fd.name(), result), fd.name()));
  }

  /**
   * Whether it is a local stream socket.
   *
   * @throws LinuxException ENOTSOCK if it is no socket
   */
  public boolean isStream() throws LinuxException {
    return option(SocketConstants.SO_DOMAIN) == SocketConstants.AF_UNIX
        && option(SocketConstants.SO_TYPE) == SocketConstants.SOCK_STREAM;
  }

  /** As {@link #isStream}, and it waits for connections. */
  public boolean isListeningStream() throws LinuxException {
    return isStream() && option(SocketConstants.SO_ACCEPTCONN) == 1;
  }

  private int option(int option) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
      MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, Integer.BYTES);
      LinuxException.check(
          "getsockopt",
          fd.name(),
          Syscall.invoke(
              SyscallNumber.GETSOCKOPT,
              fd.number(),
              SocketConstants.SOL_SOCKET,
              option,
              value.address(),
              length.address(),
              0));
      return value.get(ValueLayout.JAVA_INT, 0);
    }
  }

  /** The descriptor, owned by this object. */
  public Fd fd() {
    return fd;
  }

  /**
   * Sends bytes, and descriptors with the first of them. The receiver gets its own copies.
   *
   * @param data native, not empty if descriptors go along
   * @param descriptors at most {@link #MAX_DESCRIPTORS}
   * @return bytes sent; on a stream possibly fewer than given, and then the rest goes without the
   *     descriptors
   */
  public long send(MemorySegment data, List<Fd> descriptors) throws LinuxException {
    return send(data, descriptors, 0);
  }

  /**
   * As {@link #send}, but does not wait for room.
   *
   * @throws LinuxException EAGAIN if there is none
   */
  public long trySend(MemorySegment data, List<Fd> descriptors) throws LinuxException {
    return send(data, descriptors, SocketConstants.MSG_DONTWAIT);
  }

  private long send(MemorySegment data, List<Fd> descriptors, int flags) throws LinuxException {
    Fd.requireNative(data);
    int count = descriptors.size();
    if (count > MAX_DESCRIPTORS || (count > 0 && data.byteSize() == 0)) {
      throw new IllegalArgumentException(
          count + " descriptors cannot go with " + data.byteSize() + " bytes");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment message = message(arena, data);
      if (count > 0) {
        long length = Cmsghdr.SIZE + 4L * count;
        MemorySegment control = arena.allocate((length + 7) & ~7L, 8);
        control.set(ValueLayout.JAVA_LONG, Cmsghdr.CMSG_LEN, length);
        control.set(ValueLayout.JAVA_INT, Cmsghdr.CMSG_LEVEL, SocketConstants.SOL_SOCKET);
        control.set(ValueLayout.JAVA_INT, Cmsghdr.CMSG_TYPE, SocketConstants.SCM_RIGHTS);
        for (int i = 0; i < count; i++) {
          control.set(ValueLayout.JAVA_INT, Cmsghdr.SIZE + 4L * i, descriptors.get(i).number());
        }
        message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_CONTROL, control.address());
        message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_CONTROLLEN, control.byteSize());
      }
      long result;
      do {
        result =
            Syscall.invoke(
                SyscallNumber.SENDMSG,
                fd.number(),
                message.address(),
                SocketConstants.MSG_NOSIGNAL | flags);
      } while (result == -Errno.EINTR);
      return LinuxException.check("sendmsg", fd.name(), result);
    } finally {
      Reference.reachabilityFence(data);
      Reference.reachabilityFence(descriptors);
    }
  }

  /**
   * Waits for bytes and takes the descriptors that come with them.
   *
   * @param target native; receives the bytes
   * @param maxDescriptors how many descriptors to take at most
   * @throws LinuxException {@code EMSGSIZE} if more descriptors came; all are closed then
   */
  public Received receive(MemorySegment target, int maxDescriptors) throws LinuxException {
    Fd.requireNative(target);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment message = message(arena, target);
      MemorySegment control = arena.allocate((Cmsghdr.SIZE + 4L * maxDescriptors + 7) & ~7L, 8);
      message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_CONTROL, control.address());
      message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_CONTROLLEN, control.byteSize());
      long result;
      do {
        result =
            Syscall.invoke(
                SyscallNumber.RECVMSG,
                fd.number(),
                message.address(),
                SocketConstants.MSG_CMSG_CLOEXEC);
      } while (result == -Errno.EINTR);
      LinuxException.check("recvmsg", fd.name(), result);
      List<Fd> descriptors =
          descriptors(control, message.get(ValueLayout.JAVA_LONG, Msghdr.MSG_CONTROLLEN));
      int flags = message.get(ValueLayout.JAVA_INT, Msghdr.MSG_FLAGS);
      // Alignment can leave room for one more than asked.
      if ((flags & SocketConstants.MSG_CTRUNC) != 0 || descriptors.size() > maxDescriptors) {
        descriptors.forEach(Fd::close);
        throw new LinuxException("recvmsg", fd.name(), Errno.EMSGSIZE);
      }
      return new Received(result, List.copyOf(descriptors));
    } finally {
      Reference.reachabilityFence(target);
    }
  }

  private static List<Fd> descriptors(MemorySegment control, long controlLength) {
    List<Fd> descriptors = new ArrayList<>();
    long at = 0;
    while (at + Cmsghdr.SIZE <= controlLength) {
      long length = control.get(ValueLayout.JAVA_LONG, at + Cmsghdr.CMSG_LEN);
      if (length < Cmsghdr.SIZE) {
        break;
      }
      int level = control.get(ValueLayout.JAVA_INT, at + Cmsghdr.CMSG_LEVEL);
      int type = control.get(ValueLayout.JAVA_INT, at + Cmsghdr.CMSG_TYPE);
      if (level == SocketConstants.SOL_SOCKET && type == SocketConstants.SCM_RIGHTS) {
        for (long i = at + Cmsghdr.SIZE; i + Integer.BYTES <= at + length; i += Integer.BYTES) {
          descriptors.add(Fd.owning(control.get(ValueLayout.JAVA_INT, i), "received descriptor"));
        }
      }
      at += (length + 7) & ~7L;
    }
    return descriptors;
  }

  private static MemorySegment message(Arena arena, MemorySegment data) {
    IoVector vector = new IoVector(1, arena);
    vector.add(data, 0, data.byteSize());
    MemorySegment message = arena.allocate(Msghdr.SIZE, 8);
    message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_IOV, vector.array().address());
    message.set(ValueLayout.JAVA_LONG, Msghdr.MSG_IOVLEN, vector.count());
    return message;
  }

  /**
   * Ends what this end receives: whoever waits for it finds the end, once what has come is read.
   */
  public void shutdownInput() throws LinuxException {
    shutdown(SocketConstants.SHUT_RD);
  }

  /** Ends the connection both ways: whoever waits on either end returns. */
  public void shutdown() throws LinuxException {
    shutdown(SocketConstants.SHUT_RDWR);
  }

  private void shutdown(int how) throws LinuxException {
    long result = Syscall.invoke(SyscallNumber.SHUTDOWN, fd.number(), how);
    if (result != -Errno.ENOTCONN) {
      LinuxException.check("shutdown", fd.name(), result);
    }
  }

  @Override
  public void close() {
    fd.close();
  }
}
