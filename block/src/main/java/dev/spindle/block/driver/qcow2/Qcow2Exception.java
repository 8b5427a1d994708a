// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.Errno;

/** An image cannot be opened, read or written: a sentence for users, an errno for requests. */
class Qcow2Exception extends BlockException {
  private static final long serialVersionUID = 1;

  private final int errno;

  /** The image says what cannot be: EIO for requests. */
  Qcow2Exception(String message) {
    this(Errno.EIO, message);
  }

  /**
   * Something failed.
   *
   * @param errno what a request ends with, positive
   */
  Qcow2Exception(int errno, String message) {
    super(message);
    this.errno = errno;
  }

  /** What a request ends with, positive. */
  @Override
  public int errno() {
    return errno;
  }
}
