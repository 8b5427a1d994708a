// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

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
}
