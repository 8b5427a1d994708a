// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import java.io.IOException;

/** Client and server have not come together. */
final class NegotiationException extends IOException {
  private static final long serialVersionUID = 1;

  /**
   * Makes one.
   *
   * @param message why: the end of a sentence that begins with who the server is
   */
  NegotiationException(String message) {
    super(message);
  }
}
