// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.linux.Endpoint;

/**
 * How a server listens ({@code --nbd-server}).
 *
 * @param endpoint where; port 0 is any that is free
 * @param maxConnections clients at a time, 0 for as many as come; with 1, an export does not offer
 *     to be used by several connections
 * @param handshakeSeconds how long a client may take to choose an export, 0 for as long as it likes
 */
public record NbdServerOptions(Endpoint endpoint, int maxConnections, int handshakeSeconds) {
  /** As QEMU has it. */
  public static final int DEFAULT_MAX_CONNECTIONS = 100;

  /** As QEMU has it. */
  public static final int DEFAULT_HANDSHAKE_SECONDS = 10;
}
