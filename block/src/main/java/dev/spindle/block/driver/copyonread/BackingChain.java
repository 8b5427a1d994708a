// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The way from a node through filters and backing files down to one of them.
 *
 * @param links in order from the node's own child on
 * @param hasBottom whether somebody named a lowest node
 */
record BackingChain(List<BlockEdge> links, boolean hasBottom) {
  /**
   * The way from {@code top} to {@code bottom}, or an empty one if {@code bottom} is null.
   *
   * @throws BlockException if there is none, or somebody relies on it already
   */
  static BackingChain find(BlockNode top, BlockNode bottom) throws BlockException {
    List<BlockEdge> links = new ArrayList<>();
    if (bottom == null) {
      return new BackingChain(links, false);
    }
    if (filtered(bottom).isPresent()) {
      throw new BlockException("Bottom node '" + bottom.name() + "' is a filter");
    }
    BlockNode node = top;
    while (node != bottom) {
      Optional<BlockEdge> next = next(node);
      if (next.isEmpty()) {
        throw new BlockException(
            "Bottom node '%s' is not in the backing chain of node '%s'"
                .formatted(bottom.name(), top.name()));
      }
      if (next.get().isFrozen()) {
        throw new BlockException(
            "The link from node '%s' to '%s' is relied on already"
                .formatted(node.name(), next.get().node().name()));
      }
      links.add(next.get());
      node = next.get().node();
    }
    return new BackingChain(links, true);
  }

  private static Optional<BlockEdge> next(BlockNode node) {
    Optional<BlockEdge> backing =
        node.children().stream().filter(edge -> edge.roles().contains(ChildRole.COW)).findFirst();
    return backing.isPresent() ? backing : filtered(node);
  }

  private static Optional<BlockEdge> filtered(BlockNode node) {
    return node.children().stream()
        .filter(edge -> edge.roles().contains(ChildRole.FILTERED))
        .findFirst();
  }

  void freeze(String user) {
    links.forEach(link -> link.freeze(user));
  }

  void unfreeze() {
    links.forEach(BlockEdge::unfreeze);
  }

  /**
   * A node of the chain as one context sees it.
   *
   * @param length of the node in bytes
   */
  record Layer(BlockLane lane, long length) {
    /** As {@link BlockLane#allocated}; what is past its end it does not hold. */
    long allocated(long offset, long wanted) {
      return offset >= length ? -wanted : lane.allocated(offset, Math.min(wanted, length - offset));
    }
  }

  /** The nodes whose data is copied, from the uppermost backing file on; null for all. */
  List<BlockNode> layers() {
    if (!hasBottom) {
      return null;
    }
    List<BlockNode> layers = new ArrayList<>();
    boolean backing = false;
    for (BlockEdge link : links) {
      backing |= link.roles().contains(ChildRole.COW);
      if (backing && filtered(link.node()).isEmpty()) {
        layers.add(link.node());
      }
    }
    return layers;
  }
}
