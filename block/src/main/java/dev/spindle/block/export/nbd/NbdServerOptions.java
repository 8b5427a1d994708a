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

  private static final int MOST_PORT = 65535;

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
    Optional<String> credentials = options.string("tls-creds");
    Options address = options.nested("addr");
    boolean isThere = !address.isEmpty();
    String type = isThere || options.isNoting() ? address.choice("type", "", "unix", "inet") : "";
    Optional<String> path = address.string("path");
    Optional<String> host = address.string("host");
    int port = (int) address.number("port", -1, 0, MOST_PORT);
    if (options.isNoting()) {
      return new NbdServerOptions(
          new Endpoint.Unix(Path.of("")), maxConnections, handshakeSeconds, credentials);
    }
    if (!isThere) {
      // What is there instead says more than what is not.
      options.finish();
      throw options.missing("addr.type");
    }
    address.finish();
    return new NbdServerOptions(
        endpoint(address, type, path, host, port), maxConnections, handshakeSeconds, credentials);
  }

  private static Endpoint endpoint(
      Options address, String type, Optional<String> path, Optional<String> host, int port)
      throws OptionException {
    if (type.equals("unix")) {
      if (host.isPresent() || port >= 0) {
        throw notOf(address, "unix", host.isPresent() ? "host" : "port");
      }
      return new Endpoint.Unix(Path.of(path.orElseThrow(() -> address.missing("path"))));
    }
    if (path.isPresent()) {
      throw notOf(address, "inet", "path");
    }
    String name = host.orElseThrow(() -> address.missing("host"));
    if (port < 0) {
      throw address.missing("port");
    }
    try {
      return new Endpoint.Inet(InetAddress.getByName(name.isEmpty() ? "::" : name), port);
    } catch (UnknownHostException e) {
      throw new OptionException(address.owner() + ": there is no host '" + name + "'");
    }
  }

  private static OptionException notOf(Options address, String type, String key) {
    return new OptionException(
        "%s: a socket of type %s has no '%s'".formatted(address.owner(), type, key));
  }
}
