// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.OptionReply;

/** An option of a client is refused; the negotiation goes on. */
final class OptionRefusal extends Exception {
  private static final long serialVersionUID = 1L;

  private final OptionReply reply;

  /**
   * Makes one.
   *
   * @param reply an error
   * @param message the sentence that the client is told
   */
  OptionRefusal(OptionReply reply, String message) {
    super(message);
    this.reply = reply;
  }

  OptionReply reply() {
    return reply;
  }
}
