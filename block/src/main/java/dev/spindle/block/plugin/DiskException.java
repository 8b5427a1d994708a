// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import dev.spindle.linux.Errno;
import java.io.IOException;

/**
 * A request that fails with an error of the plugin's choice; it is logged for who asks for it
 * ({@code SPINDLE_LOG=debug}). Anything else that a plugin throws is logged in any case, and is
 * {@link Errno#EIO} to whoever sent the request.
 */
public final class DiskException extends IOException {
  private static final long serialVersionUID = 1;

  private static final int MOST = 4095;

  /** A Linux error number. */
  private final int errno;

  /**
   * Fails a request.
   *
   * @param errno which error: one of {@link Errno}, such as {@link Errno#ENOSPC}; from 1 to 4095
   * @param message what happened, for the log
   */
  public DiskException(int errno, String message) {
    super(message);
    if (errno < 1 || errno > MOST) {
      throw new IllegalArgumentException("no error number: " + errno);
    }
    this.errno = errno;
  }

  /**
   * Which error it is.
   *
   * @return one of {@link Errno}
   */
  public int errno() {
    return errno;
  }
}
