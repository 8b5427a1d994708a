// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Nodes in an order in which whoever depends on others finds them done. Control side. */
final class NodeOrder {
  private final Set<BlockNode> entered = new LinkedHashSet<>();
  private final List<BlockNode> childrenFirst = new ArrayList<>();

  private NodeOrder() {}

  /** Some nodes and all below them, each after all that it holds. */
  static List<BlockNode> childrenFirst(Collection<BlockNode> nodes) {
    NodeOrder order = new NodeOrder();
    nodes.forEach(order::visit);
    return order.childrenFirst;
  }

  /** Some nodes and all below them, each after all those of them that hold it. */
  static List<BlockNode> parentsFirst(Collection<BlockNode> nodes) {
    return childrenFirst(nodes).reversed();
  }

  private void visit(BlockNode node) {
    if (entered.add(node)) {
      node.children().forEach(edge -> visit(edge.node()));
      childrenFirst.add(node);
    }
  }
}
