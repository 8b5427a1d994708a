// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.nbd.HandshakeChannel;
import dev.spindle.linux.StreamSocket;
import java.io.IOException;

/** The server's part in going over to TLS. */
@FunctionalInterface
interface TlsAcceptor {
  /**
   * Does the TLS handshake with a client. Straight-line code on the context.
   *
   * @param plain by which the client and the server have spoken so far
   * @throws IOException if they cannot agree, or the client is not who it should be
   */
  HandshakeChannel accept(AioContext context, HandshakeChannel plain, StreamSocket client)
      throws IOException;
}
