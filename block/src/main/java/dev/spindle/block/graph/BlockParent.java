// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.List;

/** Whatever holds an edge to a node: a backend, or a node above. Control side only. */
public sealed interface BlockParent permits BlockBackend, BlockNode {
  /** How an error names it: {@code block device 'vd0'}, {@code node 'fmt0'}. */
  String describe();

  /**
   * Tells it to send no more requests down. Sections nest. Never waits.
   *
   * @param waits gets what to wait for
   */
  void quiesceBegin(List<QuiesceWait> waits);

  /** Ends one {@link #quiesceBegin}; the last end lets it go on. Never waits. */
  void quiesceEnd();

  /**
   * Asks the parent whether it can follow its node to another context. Must change nothing.
   *
   * @param target where the node is to go
   * @param change collects what has to move along
   * @throws BlockException if it cannot follow
   */
  void prepareContextChange(AioContext target, ContextChange change) throws BlockException;
}
