// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Endpoint;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Where a server is, as a user says ({@code server.type=…}). */
sealed interface ServerAddress {
  /** The port that is registered for NBD. */
  int DEFAULT_PORT = 10809;

  /**
   * Finds the endpoints to try, in order. On a virtual thread; waits.
   *
   * @param limitNs for how many nanoseconds at most
   * @throws UnknownHostException if there is none, or none has been found by then
   */
  List<Endpoint> resolve(long limitNs) throws UnknownHostException;

  /** Whose certificate the server has, unless the user names another. */
  String hostName();

  /** A local socket. */
  record Local(Path path) implements ServerAddress {
    @Override
    public List<Endpoint> resolve(long limitNs) {
      return List.of(new Endpoint.Unix(path));
    }

    /** It is on this machine. */
    @Override
    public String hostName() {
      return "localhost";
    }

    @Override
    public String toString() {
      return path.toString();
    }
  }

  /** A host's TCP port. */
  record Remote(String host, int port) implements ServerAddress {
    @Override
    public List<Endpoint> resolve(long limitNs) throws UnknownHostException {
      CompletableFuture<InetAddress[]> found = new CompletableFuture<>();
      // Asking a name server holds up the thread, and that of the caller carries others.
      Thread.ofPlatform().daemon().name("resolve-" + host).start(() -> lookUp(found));
      try {
        List<Endpoint> endpoints = new ArrayList<>();
        for (InetAddress address : found.orTimeout(limitNs, TimeUnit.NANOSECONDS).join()) {
          endpoints.add(new Endpoint.Inet(address, port));
        }
        return endpoints;
      } catch (CompletionException e) {
        if (e.getCause() instanceof TimeoutException) {
          throw new UnknownHostException("nobody says in time where '" + host + "' is");
        }
        throw new UnknownHostException("the name '" + host + "' is not known");
      }
    }

    @Override
    public String hostName() {
      return host;
    }

    private void lookUp(CompletableFuture<InetAddress[]> found) {
      try {
        found.complete(InetAddress.getAllByName(host));
      } catch (UnknownHostException | RuntimeException | Error e) {
        found.completeExceptionally(e);
      }
    }

    @Override
    public String toString() {
      return host.indexOf(':') < 0 ? host + ":" + port : "[" + host + "]:" + port;
    }
  }

  /** Takes {@code server.…}. */
  static ServerAddress from(Options options) throws OptionException {
    Options server = options.nested("server");
    if (server.isEmpty() && !server.isNoting()) {
      throw options.missing("server.type");
    }
    String type = server.choice("type", "", "unix", "inet");
    Optional<String> path = server.string("path");
    Optional<String> host = server.string("host");
    boolean inet = type.equals("inet") && !server.isNoting();
    if (inet && path.isPresent()) {
      throw new OptionException(server.owner() + ": 'path' is for type=unix");
    }
    if (type.equals("unix") && host.isPresent()) {
      throw new OptionException(server.owner() + ": 'host' is for type=inet");
    }
    if (inet) {
      int port = (int) server.number("port", DEFAULT_PORT, 1, 65535);
      server.finish();
      return new Remote(host.orElseThrow(() -> server.missing("host")), port);
    }
    if (server.isNoting()) {
      server.number("port", DEFAULT_PORT, 1, 65535);
      return new Local(Path.of(""));
    }
    server.finish();
    return new Local(Path.of(path.orElseThrow(() -> server.missing("path"))));
  }
}
