// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * A time in which one backend has its node to itself: every other root that reaches the node sends
 * nothing new. Nobody's requests are waited for, no throttling is switched off, and the backend's
 * own requests go on. Whoever also needs the others' earlier requests done drains those backends. A
 * root that comes to reach the node while the section is on is stopped as well. Control side only.
 */
public final class IsolatedSection implements StandingSection, AutoCloseable {
  private final BlockBackend owner;
  private final List<BlockBackend> others = new ArrayList<>();
  private boolean ended;

  private IsolatedSection(BlockBackend owner) {
    this.owner = owner;
  }

  static IsolatedSection begin(BlockBackend owner) {
    IsolatedSection section = new IsolatedSection(owner);
    List<QuiesceWait> waits = new ArrayList<>();
    owner.root().isolations().add(section);
    try {
      section.follow(waits);
      waits.forEach(QuiesceWait::awaitStopped);
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      section.close();
      throw e;
    }
    return section;
  }

  @Override
  public void follow(List<QuiesceWait> waits) {
    List<BlockBackend> now = new ArrayList<>();
    Set<Object> visited = Collections.newSetFromMap(new IdentityHashMap<>());
    collect(owner.node(), owner, visited, now);
    for (BlockBackend other : now) {
      if (!others.contains(other)) {
        other.isolateBegin(waits);
        others.add(other);
      }
    }
    for (BlockBackend other : List.copyOf(others)) {
      if (!now.contains(other)) {
        others.remove(other);
        other.quiesceEnd();
      }
    }
  }

  private static void collect(
      BlockNode node, BlockBackend owner, Set<Object> visited, List<BlockBackend> others) {
    for (BlockEdge edge : node.parents()) {
      if (!visited.add(edge.parent())) {
        continue;
      }
      switch (edge.parent()) {
        case BlockBackend backend when backend == owner -> {}
        case BlockBackend backend -> others.add(backend);
        case BlockNode parent -> collect(parent, owner, visited, others);
      }
    }
  }

  /** Ends the section; the others' requests that came meanwhile go on, in order. Never waits. */
  @Override
  public void close() {
    if (ended) {
      throw new IllegalStateException("this isolated section has ended");
    }
    ended = true;
    owner.root().isolations().remove(this);
    others.reversed().forEach(BlockBackend::quiesceEnd);
  }
}
