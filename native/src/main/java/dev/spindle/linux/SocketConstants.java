// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CConstants;

/** Constants of sockets. */
@CConstants(headers = {"sys/socket.h", "netinet/in.h", "netinet/tcp.h"})
final class SocketConstants {
  static final int AF_UNIX = 1;
  static final int AF_INET = 2;
  static final int AF_INET6 = 10;
  static final int SOCK_STREAM = 1;
  static final int SOCK_SEQPACKET = 5;
  static final int SOCK_CLOEXEC = 0x80000;
  static final int SOCK_NONBLOCK = 0x800;
  static final int SOL_SOCKET = 1;
  static final int SO_REUSEADDR = 2;
  static final int SO_TYPE = 3;
  static final int SO_SNDBUF = 7;
  static final int SO_ACCEPTCONN = 30;
  static final int SO_DOMAIN = 39;
  static final int SCM_RIGHTS = 1;
  static final int IPPROTO_TCP = 6;
  static final int TCP_NODELAY = 1;
  static final int MSG_CTRUNC = 8;
  static final int MSG_DONTWAIT = 0x40;
  static final int MSG_NOSIGNAL = 0x4000;
  static final int MSG_CMSG_CLOEXEC = 0x40000000;
  static final int SHUT_RD = 0;
  static final int SHUT_RDWR = 2;

  private SocketConstants() {}
}
