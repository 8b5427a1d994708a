// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A section that is on, and whose reach follows the links that change meanwhile. Control side. */
interface StandingSection {
  /**
   * Tells those to stop whom the section reaches by now, and lets those go on whom it does not
   * reach any more.
   *
   * @param waits gets what to wait for
   */
  void follow(List<QuiesceWait> waits);

  /** Has every section that links at some nodes concern follow what they are now. */
  static void followAll(Collection<BlockNode> nodes, List<QuiesceWait> waits) {
    Set<BlockNode> below = new LinkedHashSet<>();
    Set<BlockNode> above = new LinkedHashSet<>();
    for (BlockNode node : nodes) {
      node.addSubtree(below);
      node.addAncestry(above);
    }
    Set<StandingSection> concerned = new LinkedHashSet<>();
    above.forEach(node -> concerned.addAll(node.sections()));
    below.forEach(node -> node.parents().forEach(edge -> concerned.addAll(edge.isolations())));
    concerned.forEach(section -> section.follow(waits));
  }

  /** As {@link #followAll(Collection, List)}, and waits. */
  static void followAll(Collection<BlockNode> nodes) {
    List<QuiesceWait> waits = new ArrayList<>();
    followAll(nodes, waits);
    QuiesceWait.all(waits);
  }
}
