// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.HandshakeChannel;
import java.io.IOException;

/** Goes over to TLS with one client, which has been told so. */
@FunctionalInterface
interface TlsUpgrade {
  /**
   * Does the TLS handshake.
   *
   * @return by which the negotiation goes on
   * @throws IOException if the client cannot agree, or is not who it should be
   */
  HandshakeChannel upgrade() throws IOException;
}
