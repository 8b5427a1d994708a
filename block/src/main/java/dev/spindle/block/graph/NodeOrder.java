// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** Nodes in an order in which whoever depends on others finds them done. Control side. */
final class NodeOrder {
  private final Set<BlockNode> entered = new LinkedHashSet<>();
  private final List<BlockNode> childrenFirst = new ArrayList<>();
  private final Function<BlockNode, List<BlockNode>> children;

  private NodeOrder(Function<BlockNode, List<BlockNode>> children) {
    this.children = children;
  }

  /** Some nodes and all below them, each after all that it holds. */
  static List<BlockNode> childrenFirst(Collection<BlockNode> nodes) {
    return childrenFirst(nodes, node -> node.children().stream().map(BlockEdge::node).toList());
  }

  /**
   * As {@link #childrenFirst(Collection)}, on a graph that is yet to come. In a cycle, some child
   * comes after its parent.
   *
   * @param children what a node will hold
   */
  static List<BlockNode> childrenFirst(
      Collection<BlockNode> nodes, Function<BlockNode, List<BlockNode>> children) {
    NodeOrder order = new NodeOrder(children);
    nodes.forEach(order::visit);
    return order.childrenFirst;
  }

  /** Some nodes and all below them, each after all those of them that hold it. */
  static List<BlockNode> parentsFirst(Collection<BlockNode> nodes) {
    return childrenFirst(nodes).reversed();
  }

  private void visit(BlockNode node) {
    if (entered.add(node)) {
      children.apply(node).forEach(this::visit);
      childrenFirst.add(node);
    }
  }
}
