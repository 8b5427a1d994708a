// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.io.IOException;

/**
 * The bytes to and from the other end of a connection in the negotiation, plain or by TLS. For
 * straight-line code on the context that the connection was made on.
 */
public interface HandshakeChannel {
  /**
   * Waits for bytes, and takes no more than these from the socket.
   *
   * @throws IOException if the other end sends no more, or the connection fails
   */
  byte[] read(int length) throws IOException;

  /**
   * Sends bytes, and waits until they are on their way.
   *
   * @throws IOException if the other end takes no more, or the connection fails
   */
  void write(byte[] bytes) throws IOException;

  /** What carries the bytes from now on, when the negotiation is over. */
  NbdStream toStream();
}
