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
 * own requests go on. Whoever also needs the others' earlier requests done drains those backends.
 * Control side only.
 */
public final class IsolatedSection implements AutoCloseable {
  private final List<BlockBackend> others;
  private boolean ended;

  private IsolatedSection(List<BlockBackend> others) {
    this.others = others;
  }

  static IsolatedSection begin(BlockBackend owner) {
    Set<Object> visited = Collections.newSetFromMap(new IdentityHashMap<>());
    List<BlockBackend> others = new ArrayList<>();
    collect(owner.node(), owner, visited, others);
    List<QuiesceWait> waits = new ArrayList<>();
    IsolatedSection section = new IsolatedSection(new ArrayList<>());
    try {
      for (BlockBackend other : others) {
        Runnable stopped = other.isolateBegin();
        section.others.add(other);
        waits.add(
            new QuiesceWait() {
              @Override
              public void awaitStopped() {
                stopped.run();
              }
            });
      }
      waits.forEach(QuiesceWait::awaitStopped);
    } catch (RuntimeException | Error e) {
      QuiesceWait.afterFailure(waits, e);
      section.close();
      throw e;
    }
    return section;
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
    others.reversed().forEach(BlockBackend::quiesceEnd);
  }
}
