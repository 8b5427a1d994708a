// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;

/** Where a stream socket listens or connects to. */
public sealed interface Endpoint {
  /**
   * A local one (unix(7)).
   *
   * @param path of the socket; at most 107 bytes
   */
  record Unix(Path path) implements Endpoint {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * One of TCP.
   *
   * @param address resolved already
   * @param port 0 to 65535
   */
  record Inet(InetAddress address, int port) implements Endpoint {
    @Override
    public String toString() {
      String host = address.getHostAddress();
      return address instanceof Inet6Address ? "[" + host + "]:" + port : host + ":" + port;
    }
  }
}
