// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * A change of context of all that hangs together with one node: one walk over parents and children,
 * each edge once, asks everybody; then all that will move stands still before anything moves, and
 * goes on under the new context. Control side only.
 */
public final class ContextChange {
  /** Something that has its own threads or queues and moves along. */
  public interface Mover extends Transaction.Action {
    /** Stops it under the old context. Returns at once; it is still when the result runs. */
    Runnable beginDrain();
  }

  private final AioContext target;
  private final Transaction transaction = new Transaction();
  private final List<Mover> movers = new ArrayList<>();
  private final Set<Object> visited = Collections.newSetFromMap(new IdentityHashMap<>());

  private ContextChange(AioContext target) {
    this.target = target;
  }

  /**
   * Moves {@code node} and all that hangs together with it to {@code target}.
   *
   * @throws BlockException if somebody cannot follow; nothing has moved then
   */
  public static void run(BlockNode node, AioContext target) throws BlockException {
    ContextChange change = new ContextChange(target);
    try {
      change.visit(node);
    } catch (BlockException | RuntimeException e) {
      change.transaction.abort();
      throw e;
    }
    List<Runnable> waits = change.movers.stream().map(Mover::beginDrain).toList();
    waits.forEach(Runnable::run);
    change.transaction.commit();
  }

  /** Adds a parent's own part, which it has prepared. */
  public void add(Mover mover) {
    transaction.add(mover);
    movers.add(mover);
  }

  void visit(BlockNode node) throws BlockException {
    if (!visited.add(node)) {
      return;
    }
    node.checkContextChange(target);
    for (BlockEdge edge : node.parents()) {
      if (visited.add(edge)) {
        edge.parent().prepareContextChange(target, this);
      }
    }
    for (BlockEdge edge : node.children()) {
      if (visited.add(edge)) {
        visit(edge.node());
      }
    }
    transaction.add(
        new Transaction.Action() {
          @Override
          public void commit() {
            node.setContext(target);
          }
        });
  }
}
