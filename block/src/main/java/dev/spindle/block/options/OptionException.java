// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

/** A user's option cannot be obeyed: one sentence that names it and says what was expected. */
public final class OptionException extends Exception {
  private static final long serialVersionUID = 1;

  /** Refuses with a sentence. */
  public OptionException(String message) {
    super(message);
  }
}
