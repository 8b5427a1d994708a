// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import java.io.IOException;

/**
 * The bytes to and from a client while it negotiates, plain or by TLS. For straight-line code on
 * the context that the connection was accepted on.
 */
interface HandshakeChannel {
  /**
   * Waits for bytes, and takes no more than these from the socket.
   *
   * @throws IOException if the client sends no more, or the connection fails
   */
  byte[] read(int length) throws IOException;

  /**
   * Sends bytes, and waits until they are on their way.
   *
   * @throws IOException if the client takes no more, or the connection fails
   */
  void write(byte[] bytes) throws IOException;

  /** What carries the bytes from now on, when the negotiation is over. */
  ClientStream toStream();
}
