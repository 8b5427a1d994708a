// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import java.io.IOException;

/** The other end of a vhost-user connection has broken the rules: a clause that says how. */
public final class VhostUserException extends IOException {
  private static final long serialVersionUID = 1;

  /** Says what was wrong. */
  public VhostUserException(String message) {
    super(message);
  }

  /** Says what was wrong, keeping the cause. */
  public VhostUserException(String message, Throwable cause) {
    super(message, cause);
  }
}
