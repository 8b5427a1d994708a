// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A change of context of all that hangs together with one node. One walk over parents and children,
 * each edge once, asks everybody; whoever cannot follow refuses by name and nothing has moved. Then
 * all that will move stands still before anything moves: sections begin under the old context and
 * end under the new. Control side only.
 */
public final class ContextChange {
  private final AioContext target;
  private final List<BlockNode> nodes = new ArrayList<>();
  private final List<Transaction.Action> actions = new ArrayList<>();
  private final Set<Object> visited = Collections.newSetFromMap(new IdentityHashMap<>());

  private ContextChange(AioContext target) {
    this.target = target;
  }

  /**
   * Moves {@code node} and all that hangs together with it to {@code target}; waits for what is in
   * flight.
   *
   * @throws BlockException if somebody cannot follow; nothing has moved then
   */
  public static void run(BlockNode node, AioContext target) throws BlockException {
    Transaction transaction = new Transaction();
    prepare(node, target, null, transaction);
    transaction.commit();
  }

  /**
   * Prepares a move as a part of a transaction; what will move stands still until that is over.
   *
   * @param ignored a link that the walk does not take, so that what is beyond it (unless reached
   *     otherwise) stays where it is; null for none
   * @throws BlockException if somebody cannot follow; nothing was added to the transaction then
   */
  static void prepare(BlockNode node, AioContext target, BlockEdge ignored, Transaction transaction)
      throws BlockException {
    ContextChange change = new ContextChange(target);
    if (ignored != null) {
      change.visited.add(ignored);
    }
    DrainedSection section;
    try {
      change.visit(node);
      section = DrainedSection.begin(change.nodes);
    } catch (BlockException | RuntimeException | Error e) {
      Transaction refused = new Transaction();
      change.actions.forEach(refused::add);
      refused.abort();
      throw e;
    }
    transaction.add(
        new Transaction.Action() {
          @Override
          public void clean() {
            section.close();
          }
        });
    // In force at once, so that what is prepared next goes by where the nodes will be.
    change.nodes.forEach(moved -> transaction.add(moved.move(target)));
    change.actions.forEach(transaction::add);
  }

  /**
   * Brings both ends of a new link to one context: what is below it follows the parent, or else the
   * parent follows; a parent without users always does.
   */
  static void join(BlockEdge edge, Transaction transaction) throws BlockException {
    if (!(edge.parent() instanceof BlockNode parent)) {
      return;
    }
    BlockNode child = edge.node();
    if (parent.context() == child.context()) {
      return;
    }
    Set<BlockBackend> users = new LinkedHashSet<>();
    parent.addBackends(users);
    BlockNode first = users.isEmpty() ? parent : child;
    BlockNode second = users.isEmpty() ? child : parent;
    AioContext common = second.context();
    AioContext other = first.context();
    try {
      prepare(first, common, edge, transaction);
    } catch (BlockException refusal) {
      try {
        prepare(second, other, edge, transaction);
      } catch (BlockException e) {
        refusal.addSuppressed(e);
        throw refusal;
      }
    }
  }

  /** Moves a node that lost a parent to its home context if nobody uses it any more. */
  static void sendHome(BlockNode node, Transaction transaction) {
    if (node.context() == node.home() || isUsed(node)) {
      return;
    }
    try {
      prepare(node, node.home(), null, transaction);
    } catch (BlockException e) {
      throw new IllegalStateException("a node without users stays away from home", e);
    }
  }

  private static boolean isUsed(BlockNode start) {
    Set<BlockNode> connected = new LinkedHashSet<>();
    addConnected(start, connected);
    Set<BlockBackend> users = new LinkedHashSet<>();
    connected.forEach(node -> node.addBackends(users));
    return !users.isEmpty();
  }

  private static void addConnected(BlockNode node, Set<BlockNode> connected) {
    if (!connected.add(node)) {
      return;
    }
    node.children().forEach(edge -> addConnected(edge.node(), connected));
    for (BlockEdge edge : node.parents()) {
      if (edge.parent() instanceof BlockNode parent) {
        addConnected(parent, connected);
      }
    }
  }

  /** Adds a parent's own part in the move, which it has prepared. */
  public void add(Transaction.Action action) {
    actions.add(action);
  }

  /**
   * Has a node, and all that hangs together with it, move along: for a parent that holds several.
   *
   * @throws BlockException if somebody cannot follow
   */
  public void visit(BlockNode node) throws BlockException {
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
    nodes.add(node);
  }
}
