// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.graph.BlockException;
import dev.spindle.linux.LinuxException;

/** What a tool tells its user instead of doing what he wants: one sentence. */
public final class ToolException extends Exception {
  private static final long serialVersionUID = 1;

  /** Refuses with a sentence. */
  public ToolException(String message) {
    super(message);
  }

  /** Refuses with a sentence, keeping the cause. */
  public ToolException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The errno that led to it, positive; 0 if there is none. */
  public int errno() {
    for (Throwable cause = getCause(); cause != null; cause = cause.getCause()) {
      if (cause instanceof LinuxException system) {
        return system.errno();
      }
      if (cause instanceof BlockException refused && refused.errno() > 0) {
        return refused.errno();
      }
    }
    return 0;
  }
}
