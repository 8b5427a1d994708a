// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.Errno;

/** An image cannot be read or written: for its opener a sentence, for a request an errno. */
public final class ImageException extends BlockException {
  private static final long serialVersionUID = 1;

  private final int errno;

  /** Something that the image says cannot be: EIO. */
  public ImageException(String message) {
    this(Errno.EIO, message);
  }

  /**
   * Something failed.
   *
   * @param errno what a request ends with, positive
   */
  public ImageException(int errno, String message) {
    super(message);
    this.errno = errno;
  }

  /** What a request ends with, positive. */
  @Override
  public int errno() {
    return errno;
  }
}
