// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Endpoint;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * How a server listens ({@code --nbd-server}).
 *
 * @param endpoint where; port 0 is any that is free
 * @param maxConnections clients at a time, 0 for as many as come; with 1, an export does not offer
 *     to be used by several connections
 * @param handshakeSeconds how long a client may take to choose an export, 0 for as long as it likes
 * @param credentials the object that clients are served by TLS with, and only so
 */
public record NbdServerOptions(
    Endpoint endpoint, int maxConnections, int handshakeSeconds, Optional<String> credentials) {
  // As QEMU has them.
  private static final int DEFAULT_MAX_CONNECTIONS = 100;
  private static final int DEFAULT_HANDSHAKE_SECONDS = 10;

  /**
   * Reads what a user says of a server. May wait for the host's name to be resolved.
   *
   * @throws OptionException if an option is missing or has no such value
   */
  public static NbdServerOptions read(Options options) throws OptionException {
    int maxConnections =
        (int) options.number("max-connections", DEFAULT_MAX_CONNECTIONS, 0, Integer.MAX_VALUE);
    int handshakeSeconds =
        (int)
            options.number(
                "handshake-max-seconds", DEFAULT_HANDSHAKE_SECONDS, 0, Integer.MAX_VALUE);
    Options address = options.nested("addr");
    Endpoint endpoint = endpoint(address);
    address.finish();
    return new NbdServerOptions(
        endpoint, maxConnections, handshakeSeconds, options.string("tls-creds"));
  }

  private static Endpoint endpoint(Options address) throws OptionException {
    return switch (address.choice("type", "", "unix", "inet")) {
      case "unix" -> new Endpoint.Unix(Path.of(address.require("path")));
      case "inet" -> {
        String host = address.require("host");
        int port = (int) address.number("port", -1, 0, 65535);
        if (port < 0) {
          throw address.missing("port");
        }
        try {
          yield new Endpoint.Inet(InetAddress.getByName(host.isEmpty() ? "::" : host), port);
        } catch (UnknownHostException e) {
          throw new OptionException(address.owner() + ": there is no host '" + host + "'");
        }
      }
      default -> throw address.missing("type");
    };
  }
}
