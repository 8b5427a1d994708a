// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.nbd.Handshake;
import dev.spindle.block.nbd.MetaContexts;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * What a user says of an {@code nbd} node, in QAPI's words.
 *
 * @param server where it is
 * @param export the name of the export there; empty for the server's default
 * @param tlsCreds id of the certificates that TLS is used with; empty for no TLS
 * @param tlsHostname whose certificate the server must have; empty for the host's that is named
 * @param metaContext what block status is asked for: {@code x-dirty-bitmap}, else {@code
 *     base:allocation}
 * @param metaContextRequired whether a server without that is refused
 * @param reconnectDelay seconds for which requests wait for a lost connection to come back
 * @param openTimeout seconds for which opening tries again; 0 for once
 * @param unmap {@code discard=unmap}: discards are passed on; otherwise they do nothing
 * @param noFlush {@code cache.no-flush}: flushes do nothing
 */
record NbdOptions(
    ServerAddress server,
    String export,
    Optional<String> tlsCreds,
    Optional<String> tlsHostname,
    String metaContext,
    boolean metaContextRequired,
    int reconnectDelay,
    int openTimeout,
    boolean unmap,
    boolean noFlush) {

  /** Of all options but {@code read-only}. */
  static final String[] NAMES = {
    "server",
    "export",
    "tls-creds",
    "tls-hostname",
    "x-dirty-bitmap",
    "reconnect-delay",
    "open-timeout",
    "discard",
    "cache"
  };

  static NbdOptions from(Options options) throws OptionException {
    ServerAddress server = ServerAddress.from(options);
    String export = shortString(options, "export", "");
    Optional<String> tlsCreds = options.string("tls-creds");
    Optional<String> tlsHostname = options.string("tls-hostname");
    if (tlsHostname.isPresent() && tlsCreds.isEmpty()) {
      throw new OptionException(options.owner() + ": 'tls-hostname' needs 'tls-creds'");
    }
    String bitmap = shortString(options, "x-dirty-bitmap", MetaContexts.BASE_ALLOCATION);
    int reconnectDelay = (int) options.number("reconnect-delay", 0, 0, Integer.MAX_VALUE);
    int openTimeout = (int) options.number("open-timeout", 0, 0, Integer.MAX_VALUE);
    String discard = options.choice("discard", "ignore", "ignore", "off", "unmap", "on");
    boolean noFlush = options.bool("cache.no-flush", false);
    return new NbdOptions(
        server,
        export,
        tlsCreds,
        tlsHostname,
        bitmap,
        !bitmap.equals(MetaContexts.BASE_ALLOCATION),
        reconnectDelay,
        openTimeout,
        discard.equals("unmap") || discard.equals("on"),
        noFlush);
  }

  private static String shortString(Options options, String key, String otherwise)
      throws OptionException {
    String value = options.string(key).orElse(otherwise);
    if (value.getBytes(StandardCharsets.UTF_8).length > Handshake.LONGEST_STRING) {
      throw new OptionException(
          "%s: '%s' is longer than the %d bytes that NBD allows"
              .formatted(options.owner(), key, Handshake.LONGEST_STRING));
    }
    return value;
  }

  /** As messages name the export. */
  String exportTitle() {
    return export.isEmpty() ? "default export" : "export '" + export + "'";
  }

  /** As messages name what is there. */
  String target() {
    return export.isEmpty() ? server.toString() : exportTitle() + " at " + server;
  }
}
