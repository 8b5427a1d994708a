// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.probe;

import dev.spindle.block.graph.BlockException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * NBD servers as users name them: by URI ({@code nbd://host:port/export}, {@code
 * nbd+unix:///export?socket=path}, from the NBD project's doc/uri.md), or in QEMU's older way
 * ({@code nbd:unix:path:exportname=x}, {@code nbd:host:port}).
 */
final class NbdName {
  private static final String DEFAULT_PORT = "10809";
  private static final String EXPORT_NAME = ":exportname=";

  private NbdName() {}

  static Map<String, String> describe(String name) throws BlockException {
    return name.contains("://") ? uri(name) : old(name);
  }

  private static Map<String, String> uri(String name) throws BlockException {
    URI uri;
    try {
      uri = new URI(name);
    } catch (URISyntaxException e) {
      throw new BlockException("'" + name + "' is no NBD URI: " + e.getReason(), e);
    }
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", "nbd");
    if (uri.getScheme().equals("nbd+unix")) {
      String query = uri.getQuery();
      if (query == null || !query.startsWith("socket=")) {
        throw new BlockException("'" + name + "' names no socket, as in nbd+unix:///?socket=PATH");
      }
      options.put("server.type", "unix");
      options.put("server.path", query.substring("socket=".length()));
    } else {
      if (uri.getHost() == null) {
        throw new BlockException("'" + name + "' names no host, as in nbd://HOST:PORT/EXPORT");
      }
      inet(options, uri.getHost(), uri.getPort() < 0 ? DEFAULT_PORT : "" + uri.getPort());
    }
    String path = uri.getPath() == null ? "" : uri.getPath();
    String export = path.startsWith("/") ? path.substring(1) : path;
    if (!export.isEmpty()) {
      options.put("export", export);
    }
    return options;
  }

  private static Map<String, String> old(String name) throws BlockException {
    Map<String, String> options = new LinkedHashMap<>();
    options.put("driver", "nbd");
    String server = name.substring("nbd:".length());
    int export = server.indexOf(EXPORT_NAME);
    if (export >= 0) {
      options.put("export", server.substring(export + EXPORT_NAME.length()));
      server = server.substring(0, export);
    }
    if (server.startsWith("unix:")) {
      options.put("server.type", "unix");
      options.put("server.path", server.substring("unix:".length()));
      return options;
    }
    int colon = server.lastIndexOf(':');
    if (colon < 0) {
      throw new BlockException("'" + name + "' names no port, as in nbd:HOST:PORT");
    }
    inet(options, server.substring(0, colon), server.substring(colon + 1));
    return options;
  }

  private static void inet(Map<String, String> options, String host, String port) {
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    options.put("server.type", "inet");
    options.put("server.host", bracketed ? host.substring(1, host.length() - 1) : host);
    options.put("server.port", port);
  }
}
