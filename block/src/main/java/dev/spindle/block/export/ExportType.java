// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** A protocol that nodes can be served by. Found through {@link java.util.ServiceLoader}. */
public interface ExportType {
  /** The name in {@code type=…}. */
  String name();

  /**
   * Reads what a user says of an export of this type, apart from {@link ExportOptions}; opens
   * nothing. Help lists what it asks for, so it asks for everything before it looks at how the
   * answers go together. Any thread.
   *
   * @param options the rest of what the user gave; the type takes what it knows, the caller refuses
   *     what is left
   * @throws BlockException if a file that an option names cannot be read
   * @throws OptionException if an option is missing or has no such value
   */
  Description read(Options options) throws BlockException, OptionException;

  /** An export that has been described and can be opened. */
  @FunctionalInterface
  interface Description {
    /**
     * Opens the export: takes hold of the node with {@link ExportSite#openBackend}, and begins to
     * serve. Control side; may wait.
     *
     * @throws BlockException if it cannot be opened; nothing is left open then
     */
    BlockExport open(ExportSite site) throws BlockException;
  }
}
