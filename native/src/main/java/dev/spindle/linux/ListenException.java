// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import java.io.IOException;

/** A place cannot be listened at. The message is a sentence for the user. */
public final class ListenException extends IOException {
  private static final long serialVersionUID = 1L;

  ListenException(String message, LinuxException cause) {
    super(message, cause);
  }
}
