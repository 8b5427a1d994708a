// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Images that are open for writing only for as long as somebody has to write. Control side. */
public final class WriteAccess {
  private static final Logger LOG = LoggerFactory.getLogger(WriteAccess.class);

  private final BlockGraph graph;
  private final List<BlockNode> opened = new ArrayList<>();

  /** Opens nothing yet. */
  public WriteAccess(BlockGraph graph) {
    this.graph = graph;
  }

  /**
   * Has a node, and the files that hold it, be writable; waits for what is in flight.
   *
   * @throws BlockException if one of them cannot be; all are as they were then
   */
  public void take(BlockNode node) throws BlockException {
    if (node.readOnly()) {
      List<BlockNode> nodes = graph.readOnlyFiles(node);
      graph.setReadOnly(nodes, false);
      opened.addAll(nodes);
    }
  }

  /** Has all of them be as they were, whatever has happened to them since. Waits. */
  public void giveBack() {
    List<BlockNode> left = opened.stream().filter(graph.nodes()::contains).toList();
    opened.clear();
    try {
      graph.setReadOnly(left, true);
    } catch (BlockException e) {
      // Somebody else writes there by now.
      LOG.warn("An image stays open for writing: {}", e.getMessage());
    }
  }
}
