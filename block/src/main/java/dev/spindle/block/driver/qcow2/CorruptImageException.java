// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;

/** Metadata contradict each other: nothing may be written on their word any more. */
final class CorruptImageException extends Qcow2Exception {
  private static final long serialVersionUID = 1;

  CorruptImageException(String message) {
    super(Errno.EIO, message);
  }
}
