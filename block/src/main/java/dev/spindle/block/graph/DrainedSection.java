// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A time in which some nodes stand still (QEMU's bdrv_drained_begin and bdrv_drained_end): every
 * root that reaches them sends nothing, what had been sent is done, and neither they nor what is
 * below them does anything of its own accord. For changes of context, edits of the graph, and
 * closing; whoever only wants his own requests done drains his backend ({@link
 * BlockBackend#drain}).
 *
 * <p>Sections nest and may overlap in any order. A request that arrives in one waits, and goes on
 * after the last has ended. Control side only.
 */
public final class DrainedSection implements AutoCloseable {
  private final List<BlockNode> nodes = new ArrayList<>();
  private final List<BlockNode> below = new ArrayList<>();
  private boolean ended;

  private DrainedSection() {}

  /** Begins a section for one node; waits. */
  public static DrainedSection begin(BlockNode node) {
    return begin(List.of(node));
  }

  /** Begins one section for several nodes, all of which come to rest together; waits. */
  public static DrainedSection begin(Collection<BlockNode> nodes) {
    Set<BlockNode> distinct = new LinkedHashSet<>(nodes);
    Set<BlockNode> reached = new LinkedHashSet<>(distinct);
    distinct.forEach(node -> node.children().forEach(edge -> edge.node().addSubtree(reached)));
    List<BlockNode> below = reached.stream().filter(node -> !distinct.contains(node)).toList();
    DrainedSection section = new DrainedSection();
    List<QuiesceWait> waits = new ArrayList<>();
    try {
      for (BlockNode node : distinct) {
        node.quiesceBegin(waits);
        section.nodes.add(node);
      }
      for (BlockNode node : below) {
        node.restBegin(waits);
        section.below.add(node);
      }
      QuiesceWait.all(waits);
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      section.close();
      throw e;
    }
    return section;
  }

  /** Ends the section. Never waits. */
  @Override
  public void close() {
    if (ended) {
      throw new IllegalStateException("this drained section has ended");
    }
    ended = true;
    below.reversed().forEach(BlockNode::restEnd);
    nodes.reversed().forEach(BlockNode::quiesceEnd);
  }
}
