// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

/** A client has broken the rules while it negotiated: its connection ends. */
final class NegotiationException extends Exception {
  private static final long serialVersionUID = 1L;

  /**
   * Makes one.
   *
   * @param message what the client did, for the log
   */
  NegotiationException(String message) {
    super(message);
  }
}
