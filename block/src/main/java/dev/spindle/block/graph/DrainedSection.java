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
public final class DrainedSection implements StandingSection, AutoCloseable {
  private final Set<BlockNode> nodes = new LinkedHashSet<>();
  private final Set<BlockNode> below = new LinkedHashSet<>();
  private boolean ended;

  private DrainedSection() {}

  /** Begins a section for one node; waits. */
  public static DrainedSection begin(BlockNode node) {
    return begin(List.of(node));
  }

  /** Begins one section for several nodes, all of which come to rest together; waits. */
  public static DrainedSection begin(Collection<BlockNode> nodes) {
    DrainedSection section = new DrainedSection();
    List<QuiesceWait> waits = new ArrayList<>();
    try {
      for (BlockNode node : new LinkedHashSet<>(nodes)) {
        section.include(node, waits);
      }
      section.follow(waits);
      QuiesceWait.all(waits);
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      section.close();
      throw e;
    }
    return section;
  }

  private void include(BlockNode node, List<QuiesceWait> waits) {
    node.quiesceBegin(waits);
    nodes.add(node);
    node.sections().add(this);
  }

  /** Who reaches the nodes is told by the links; this is about what they have come to stand on. */
  @Override
  public void follow(List<QuiesceWait> waits) {
    Set<BlockNode> now = new LinkedHashSet<>();
    nodes.forEach(node -> node.addSubtree(now));
    now.removeAll(nodes);
    for (BlockNode node : now) {
      if (!below.contains(node)) {
        node.restBegin(waits);
        below.add(node);
      }
    }
    for (BlockNode node : List.copyOf(below)) {
      if (!now.contains(node)) {
        below.remove(node);
        node.restEnd();
      }
    }
  }

  /** Has another node stand still as well; waits. */
  void join(BlockNode node) {
    List<QuiesceWait> waits = new ArrayList<>();
    include(node, waits);
    follow(waits);
    QuiesceWait.all(waits);
  }

  /** Leaves out a node that is about to be closed. */
  void leave(BlockNode node) {
    nodes.remove(node);
    node.sections().remove(this);
    node.quiesceEnd();
    follow(new ArrayList<>());
  }

  /** Whether it is over. */
  boolean hasEnded() {
    return ended;
  }

  /** Ends the section. Never waits. */
  @Override
  public void close() {
    if (ended) {
      throw new IllegalStateException("this drained section has ended");
    }
    ended = true;
    List.copyOf(below).reversed().forEach(BlockNode::restEnd);
    for (BlockNode node : List.copyOf(nodes).reversed()) {
      node.sections().remove(this);
      node.quiesceEnd();
    }
  }
}
