// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.SocketLayouts.SockaddrIn;
import dev.spindle.linux.internal.SocketLayouts.SockaddrIn6;
import dev.spindle.linux.internal.SocketLayouts.SockaddrUn;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Endpoints in the kernel's form, {@code struct sockaddr_un}, {@code _in} and {@code _in6}. */
final class SocketAddresses {
  /** Bytes that hold any of them. */
  static final int LONGEST = SockaddrUn.SIZE;

  /** Bytes that the path of a local socket can have; a zero byte follows. */
  static final int LONGEST_PATH = SockaddrUn.SIZE - SockaddrUn.SUN_PATH - 1;

  /** Ports are big-endian. */
  private static final ValueLayout.OfShort PORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);

  private SocketAddresses() {}

  static int family(Endpoint endpoint) {
    return switch (endpoint) {
      case Endpoint.Unix unix -> SocketConstants.AF_UNIX;
      case Endpoint.Inet(Inet6Address address, int port) -> SocketConstants.AF_INET6;
      case Endpoint.Inet inet -> SocketConstants.AF_INET;
    };
  }

  /**
   * The kernel's form of an endpoint.
   *
   * @param call named in the error
   * @throws LinuxException ENAMETOOLONG if it is a path that is too long
   */
  static MemorySegment encode(Endpoint endpoint, String call, Arena arena) throws LinuxException {
    return switch (endpoint) {
      case Endpoint.Unix unix -> encode(unix, call, arena);
      case Endpoint.Inet inet -> encode(inet, arena);
    };
  }

  private static MemorySegment encode(Endpoint.Unix unix, String call, Arena arena)
      throws LinuxException {
    byte[] name = unix.path().toString().getBytes(StandardCharsets.UTF_8);
    if (name.length > LONGEST_PATH) {
      throw new LinuxException(call, unix.path().toString(), Errno.ENAMETOOLONG);
    }
    MemorySegment bytes = arena.allocate(SockaddrUn.SIZE, 8);
    bytes.set(ValueLayout.JAVA_SHORT, SockaddrUn.SUN_FAMILY, (short) SocketConstants.AF_UNIX);
    MemorySegment.copy(name, 0, bytes, ValueLayout.JAVA_BYTE, SockaddrUn.SUN_PATH, name.length);
    return bytes;
  }

  private static MemorySegment encode(Endpoint.Inet inet, Arena arena) {
    byte[] address = inet.address().getAddress();
    boolean six = family(inet) == SocketConstants.AF_INET6;
    MemorySegment bytes = arena.allocate(six ? SockaddrIn6.SIZE : SockaddrIn.SIZE, 8);
    bytes.set(ValueLayout.JAVA_SHORT, SockaddrIn.SIN_FAMILY, (short) family(inet));
    bytes.set(PORT, SockaddrIn.SIN_PORT, (short) inet.port());
    int at = six ? SockaddrIn6.SIN6_ADDR : SockaddrIn.SIN_ADDR;
    MemorySegment.copy(address, 0, bytes, ValueLayout.JAVA_BYTE, at, address.length);
    if (inet.address() instanceof Inet6Address scoped) {
      bytes.set(ValueLayout.JAVA_INT, SockaddrIn6.SIN6_SCOPE_ID, scoped.getScopeId());
    }
    return bytes;
  }

  /**
   * What the kernel says an end of a connection is.
   *
   * @param bytes its form of it, {@link #LONGEST} bytes
   * @param localPath stands for a local end, which often has no name of its own
   */
  static Endpoint decode(MemorySegment bytes, String localPath) {
    int family = bytes.get(ValueLayout.JAVA_SHORT, SockaddrIn.SIN_FAMILY);
    if (family == SocketConstants.AF_UNIX) {
      return new Endpoint.Unix(Path.of(localPath));
    }
    boolean six = family == SocketConstants.AF_INET6;
    byte[] address = new byte[six ? 16 : 4];
    int at = six ? SockaddrIn6.SIN6_ADDR : SockaddrIn.SIN_ADDR;
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, address, 0, address.length);
    int port = Short.toUnsignedInt(bytes.get(PORT, SockaddrIn.SIN_PORT));
    try {
      return new Endpoint.Inet(InetAddress.getByAddress(address), port);
    } catch (UnknownHostException e) {
      throw new IllegalStateException("an address of " + address.length + " bytes", e);
    }
  }
}
