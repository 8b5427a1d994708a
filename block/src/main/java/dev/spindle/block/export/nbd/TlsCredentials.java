// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.linux.StreamSocket;
import java.io.IOException;

/** What a server proves itself with, and asks of its clients. */
public interface TlsCredentials {
  /**
   * Does the TLS handshake with a client. Straight-line code on the context.
   *
   * @throws IOException if they cannot agree
   */
  HandshakeChannel accept(AioContext context, HandshakeChannel plain, StreamSocket client)
      throws IOException;
}
