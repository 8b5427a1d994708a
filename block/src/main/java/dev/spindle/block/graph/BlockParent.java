// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;

/**
 * Whatever holds an edge to a node: a backend with its device, or a node above. Control side only.
 */
public interface BlockParent {
  /** How an error names it: {@code block device 'vd0'}, {@code node 'fmt0'}. */
  String describe();

  /**
   * Asks the parent whether it can follow its node to another context. Must change nothing.
   *
   * @param target where the node is to go
   * @param change collects what has to move along
   * @throws BlockException if it cannot follow
   */
  default void prepareContextChange(AioContext target, ContextChange change) throws BlockException {
    throw new BlockException("Changing iothreads is not supported by " + describe());
  }
}
