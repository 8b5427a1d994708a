// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Sees to it that a change leaves what a user sees of his node as long as it was, and in its place,
 * unless he shares {@link Permission#RESIZE}. Control side.
 */
final class ExtentCheck {
  /** Where a link led before the change, and how long that was. */
  private record Extent(BlockNode node, long length) {}

  private final Map<BlockEdge, Extent> before = new LinkedHashMap<>();
  private final Set<BlockNode> moved = new HashSet<>();
  private final Set<BlockEdge> following = new HashSet<>();

  /** Remembers how long a node, and all above it, are now. */
  void note(BlockNode node) {
    for (BlockEdge edge : node.parents()) {
      note(edge);
    }
  }

  /** Remembers what a link shows its holder now, and what he shows others. */
  void note(BlockEdge edge) {
    BlockNode node = edge.node();
    if (node.parents().contains(edge)
        && before.putIfAbsent(edge, new Extent(node, node.length())) == null
        && edge.parent() instanceof BlockNode above) {
      note(above);
    }
  }

  /** A node will show something else in the same place. */
  void moved(BlockNode node) {
    moved.add(node);
  }

  /** A link's holder copes with any length of what it leads to. */
  void follows(BlockEdge edge) {
    following.add(edge);
  }

  /**
   * Compares, with the permissions as they will be.
   *
   * @throws BlockException if somebody would see a change who does not share it
   */
  void check() throws BlockException {
    for (Map.Entry<BlockEdge, Extent> entry : before.entrySet()) {
      BlockEdge edge = entry.getKey();
      if (concerns(edge, entry.getValue()) && !edge.shared().contains(Permission.RESIZE)) {
        check(edge, entry.getValue());
      }
    }
  }

  private boolean concerns(BlockEdge edge, Extent extent) {
    boolean stays = edge.node() == extent.node() || edge.roles().contains(ChildRole.FILTERED);
    return stays && edge.node().parents().contains(edge) && !following.contains(edge);
  }

  private void check(BlockEdge edge, Extent extent) throws BlockException {
    BlockNode node = edge.node();
    if (node.length() != extent.length()) {
      throw new BlockException(
          "Cannot change the size of node '%s' from %d to %d bytes: permission 'resize' is unshared by %s."
              .formatted(node.name(), extent.length(), node.length(), edge.describeUse()));
    }
    if (moved.contains(node)) {
      throw new BlockException(
          "Cannot change the option 'offset' of node '%s': permission 'resize' is unshared by %s."
              .formatted(node.name(), edge.describeUse()));
    }
  }
}
