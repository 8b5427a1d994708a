// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;

/**
 * A kind of block node: a format, a protocol, a filter. Found through {@link
 * java.util.ServiceLoader}. This is the fast level, on which the built-in drivers are written: it
 * changes as the block layer needs. Whoever can do with a thread for each request writes a {@link
 * dev.spindle.block.plugin.DiskDriver} instead, which is small and stays valid.
 */
public interface BlockDriver {
  /** The name in {@code driver=…}. */
  String name();

  /** Further drivers that come with this one: those it has found in its turn. */
  default List<BlockDriver> more() {
    return List.of();
  }

  /**
   * Reads what a user says of a node; opens nothing. Help lists what it asks for, so it asks for
   * everything before it looks at how the answers go together. Any thread; may wait.
   *
   * @param options the rest of what the user gave; the driver takes what it knows, the caller
   *     refuses what is left
   * @throws BlockException if a file that an option names cannot be read
   * @throws OptionException if an option is missing or has no such value
   */
  Description read(Options options) throws BlockException, OptionException;

  /** A node that has been described and can be opened. */
  @FunctionalInterface
  interface Description {
    /**
     * Opens the node. Control side; may wait.
     *
     * @param graph where children are looked up
     * @param nodeName the new node's name, not in use
     * @throws BlockException if it cannot be opened; nothing is left open then
     * @throws OptionException if the description does not fit the node's children
     */
    BlockNode open(BlockGraph graph, String nodeName) throws BlockException, OptionException;
  }
}
