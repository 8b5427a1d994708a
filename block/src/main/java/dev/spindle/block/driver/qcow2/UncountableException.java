// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;

/** A cluster is referred to as often as its refcount can say. */
final class UncountableException extends Qcow2Exception {
  private static final long serialVersionUID = 1;

  UncountableException(String message) {
    super(Errno.EINVAL, message);
  }
}
