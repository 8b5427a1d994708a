// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * A kind of block node: a format, a protocol, a filter. Found through {@link
 * java.util.ServiceLoader}.
 */
public interface BlockDriver {
  /** The name in {@code driver=…}. */
  String name();

  /**
   * Opens a node. Control side; may wait.
   *
   * @param graph where children are looked up
   * @param nodeName the new node's name, not in use
   * @param options the rest of what the user gave; the driver takes what it knows, the caller
   *     refuses what is left
   * @throws BlockException if it cannot be opened; nothing is left open then
   * @throws OptionException if an option is missing or has no such value
   */
  BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException;
}
