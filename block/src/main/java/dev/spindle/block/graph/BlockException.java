// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.io.IOException;

/**
 * What the block layer refuses: one sentence for the user, naming the thing and what was expected.
 */
public class BlockException extends IOException {
  private static final long serialVersionUID = 1;

  /** Refuses with a sentence (no final full stop, as QEMU's errors have none). */
  public BlockException(String message) {
    super(message);
  }

  /** Refuses with a sentence, keeping the cause for the log. */
  public BlockException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The errno of what was refused, positive; 0 if there is none. */
  public int errno() {
    return 0;
  }
}
