// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.MainLoop;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has nodes settle before all are closed: each once those that use it have, and otherwise side by
 * side. Control side.
 */
final class SettlingNodes {
  private static final Logger LOG = LoggerFactory.getLogger(SettlingNodes.class);

  /** Done when a node has settled, or has failed to. */
  private final Map<BlockNode, CompletableFuture<Void>> settled = new LinkedHashMap<>();

  private final Set<BlockNode> left;
  private final Consumer<List<BlockNode>> tell;

  private SettlingNodes(List<BlockNode> nodes, Consumer<List<BlockNode>> tell) {
    this.left = new LinkedHashSet<>(nodes);
    this.tell = tell;
    nodes.forEach(node -> settled.put(node, new CompletableFuture<>()));
  }

  /**
   * Settles nodes, and waits until all have.
   *
   * @param nodes none is used by others than these
   * @param tell is told which are left, as often as that changes
   */
  static void settle(MainLoop mainLoop, List<BlockNode> nodes, Consumer<List<BlockNode>> tell) {
    SettlingNodes settling = new SettlingNodes(nodes, tell);
    settling.tellLeft();
    List<Runnable> parts = new ArrayList<>();
    nodes.forEach(node -> parts.add(() -> settling.settle(node)));
    mainLoop.together("settle-nodes", parts);
  }

  private void settle(BlockNode node) {
    for (BlockEdge edge : node.parents()) {
      if (edge.parent() instanceof BlockNode user) {
        settled.get(user).join();
      }
    }
    try {
      node.settle();
    } catch (RuntimeException | Error e) {
      // The others are no worse off for it.
      LOG.error("Node '{}' is closed as it is", node.name(), e);
    }
    settled.get(node).complete(null);
    left.remove(node);
    tellLeft();
  }

  private void tellLeft() {
    if (!left.isEmpty()) {
      tell.accept(List.copyOf(left));
    }
  }
}
