// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** The structures of sockets: sizes and offsets. */
public final class SocketLayouts {
  private SocketLayouts() {}

  /** A message with ancillary data. */
  @CStruct(value = "struct msghdr", headers = "sys/socket.h")
  public static final class Msghdr {
    public static final int SIZE = 56;
    public static final int MSG_IOV = 16;
    public static final int MSG_IOVLEN = 24;
    public static final int MSG_CONTROL = 32;
    public static final int MSG_CONTROLLEN = 40;
    public static final int MSG_FLAGS = 48;

    private Msghdr() {}
  }

  /** The head of a piece of ancillary data. */
  @CStruct(value = "struct cmsghdr", headers = "sys/socket.h")
  public static final class Cmsghdr {
    public static final int SIZE = 16;
    public static final int CMSG_LEN = 0;
    public static final int CMSG_LEVEL = 8;
    public static final int CMSG_TYPE = 12;

    private Cmsghdr() {}
  }

  /** A local address. */
  @CStruct(
      value = "struct sockaddr_un",
      headers = {"sys/socket.h", "sys/un.h"})
  public static final class SockaddrUn {
    public static final int SIZE = 110;
    public static final int SUN_FAMILY = 0;
    public static final int SUN_PATH = 2;

    private SockaddrUn() {}
  }

  /** An address of IPv4; port and address big-endian. */
  @CStruct(
      value = "struct sockaddr_in",
      headers = {"sys/socket.h", "netinet/in.h"})
  public static final class SockaddrIn {
    public static final int SIZE = 16;
    public static final int SIN_FAMILY = 0;
    public static final int SIN_PORT = 2;
    public static final int SIN_ADDR = 4;

    private SockaddrIn() {}
  }

  /** An address of IPv6; port and address big-endian. */
  @CStruct(
      value = "struct sockaddr_in6",
      headers = {"sys/socket.h", "netinet/in.h"})
  public static final class SockaddrIn6 {
    public static final int SIZE = 28;
    public static final int SIN6_FAMILY = 0;
    public static final int SIN6_PORT = 2;
    public static final int SIN6_ADDR = 8;
    public static final int SIN6_SCOPE_ID = 24;

    private SockaddrIn6() {}
  }
}
