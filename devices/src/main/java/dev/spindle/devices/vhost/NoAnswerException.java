// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import java.io.IOException;

/**
 * A back end is there, but has nothing to say for too long: it may be busy with another front end.
 * The message is a clause.
 */
final class NoAnswerException extends IOException {
  private static final long serialVersionUID = 1;

  NoAnswerException(String message) {
    super(message);
  }
}
