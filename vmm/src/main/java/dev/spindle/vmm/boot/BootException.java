// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.io.IOException;

/**
 * A kernel, initrd or command line that cannot be booted; the message is a sentence for the user.
 */
public final class BootException extends IOException {
  private static final long serialVersionUID = 1L;

  BootException(String sentence) {
    super(sentence);
  }
}
