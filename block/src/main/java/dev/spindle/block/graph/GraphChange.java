// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Edits of the graph that happen together or not at all: everything concerned stands still, links
 * are changed, contexts are brought into line, permissions are worked out on the result; only then
 * does any request go the new way. Made once, run once. Control side.
 */
public final class GraphChange {
  /** One edit. */
  private sealed interface Edit {
    BlockEdge edge();
  }

  private record Attach(BlockEdge edge) implements Edit {}

  private record Detach(BlockEdge edge) implements Edit {}

  private record Redirect(BlockEdge edge, BlockNode to) implements Edit {}

  /** Nodes whose own nature changes, although their links may not. */
  private final List<BlockNode> touched = new ArrayList<>();

  private final List<Edit> edits = new ArrayList<>();
  private final ExtentCheck extents = new ExtentCheck();

  /**
   * Gives a node a child.
   *
   * @param name the parent's word for it
   * @return the link, which is of use once the change has been made
   */
  public BlockEdge attach(BlockNode parent, String name, Set<ChildRole> roles, BlockNode child) {
    BlockEdge edge = new BlockEdge(parent, name, roles, child, Set.of(), Permission.all());
    edits.add(new Attach(edge));
    return edge;
  }

  /** Puts a backend's link onto its node. */
  void attach(BlockEdge root) {
    edits.add(new Attach(root));
  }

  /** Takes a link away. */
  public void detach(BlockEdge edge) {
    edits.add(new Detach(edge));
  }

  /** Has permissions and ways worked out anew for a node that is about to be reopened. */
  void touch(BlockNode node) {
    touched.add(node);
    extents.note(node);
  }

  /** For a node that is being reopened: it shows another part of its child, even if as long. */
  public void moved(BlockNode node) {
    extents.moved(node);
  }

  /** For a node that is being reopened: it copes with any length of what a link leads to. */
  public void followsLength(BlockEdge edge) {
    extents.follows(edge);
  }

  /** Has a link lead to another node. */
  public void redirect(BlockEdge edge, BlockNode to) {
    edits.add(new Redirect(edge, to));
  }

  /**
   * Has every parent of {@code from} hold {@code to} instead; but not {@code to} itself nor what is
   * below it, so that a filter can take the place of the node it stands before.
   */
  public void replace(BlockNode from, BlockNode to) {
    Set<BlockNode> below = new LinkedHashSet<>();
    to.addSubtree(below);
    for (BlockEdge edge : from.parents()) {
      if (!(edge.parent() instanceof BlockNode parent && below.contains(parent))) {
        redirect(edge, to);
      }
    }
  }

  /**
   * Makes the change; waits for requests in flight.
   *
   * @throws BlockException if it is not possible; the graph is as it was then
   */
  public void run() throws BlockException {
    begin().commit();
  }

  /**
   * Prepares the change; waits for requests in flight. Until the caller commits or aborts, all that
   * is concerned stands still.
   *
   * @throws BlockException if it is not possible; the graph is as it was then
   */
  public Transaction begin() throws BlockException {
    Transaction transaction = new Transaction();
    drain(transaction);
    try {
      prepare(transaction);
    } catch (BlockException | RuntimeException | Error e) {
      transaction.abort();
      throw e;
    }
    return transaction;
  }

  /** Has all that the edits concern stand still until the transaction is over. */
  void drain(Transaction transaction) {
    Set<BlockNode> concerned = new LinkedHashSet<>(touched);
    for (Edit edit : edits) {
      concerned.add(edit.edge().node());
      if (edit.edge().parent() instanceof BlockNode parent) {
        concerned.add(parent);
      }
      if (edit instanceof Redirect(BlockEdge edge, BlockNode to)) {
        concerned.add(to);
      }
    }
    DrainedSection section = DrainedSection.begin(concerned);
    transaction.add(
        new Transaction.Action() {
          @Override
          public void clean() {
            section.close();
          }
        });
  }

  /** Adds the edits to a transaction in which all that they concern stands still. */
  void prepare(Transaction transaction) throws BlockException {
    Set<BlockNode> changed = new LinkedHashSet<>(touched);
    Set<BlockNode> left = new LinkedHashSet<>();
    Set<BlockParent> holders = new LinkedHashSet<>(touched);
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            // All of them stand still in this change's own section: nothing to wait for.
            StandingSection.followAll(changed, new ArrayList<>());
          }
        });
    for (Edit edit : edits) {
      extents.note(edit.edge());
      if (edit.edge().parent() instanceof BlockNode parent) {
        extents.note(parent);
      }
    }
    for (Edit edit : edits) {
      BlockEdge edge = edit.edge();
      changed.add(edge.node());
      if (!(edit instanceof Attach)) {
        left.add(edge.node());
      }
      apply(edit, transaction);
      holders.add(edge.parent());
      changed.add(edge.node());
      if (edge.parent() instanceof BlockNode parent) {
        changed.add(parent);
      }
    }
    StandingSection.followAll(changed);
    for (Edit edit : edits) {
      if (!(edit instanceof Detach)) {
        ContextChange.join(edit.edge(), transaction);
      }
    }
    for (BlockNode node : left) {
      ContextChange.sendHome(node, transaction);
    }
    PermissionRefresh.prepare(changed, transaction);
    extents.check();
    checkBitmapsFit(changed);
    relink(holders, transaction);
  }

  /** Whose length may be another now: what changed, and all above. */
  private static void checkBitmapsFit(Set<BlockNode> changed) throws BlockException {
    Set<BlockNode> above = new LinkedHashSet<>();
    changed.forEach(node -> node.addAncestry(above));
    for (BlockNode node : above) {
      node.checkBitmapsFit();
    }
  }

  private static void apply(Edit edit, Transaction transaction) throws BlockException {
    Runnable undo =
        switch (edit) {
          case Attach(BlockEdge edge) -> {
            checkNoCycle(edge, edge.node());
            yield edge.link();
          }
          case Detach(BlockEdge edge) -> {
            edge.checkNotFrozen();
            yield edge.unlink();
          }
          case Redirect(BlockEdge edge, BlockNode to) -> {
            edge.checkNotFrozen();
            checkNoCycle(edge, to);
            yield edge.lead(to);
          }
        };
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            undo.run();
          }
        });
  }

  private static void checkNoCycle(BlockEdge edge, BlockNode to) throws BlockException {
    Set<BlockNode> below = new LinkedHashSet<>();
    to.addSubtree(below);
    if (edge.parent() instanceof BlockNode parent && below.contains(parent)) {
      throw cycle(parent, edge.name(), to);
    }
  }

  /** What a user is told whose link would make a node its own descendant. */
  static BlockException cycle(BlockNode parent, String edgeName, BlockNode to) {
    return new BlockException(
        "Making '%s' a %s child of '%s' would create a cycle"
            .formatted(to.name(), edgeName, parent.name()));
  }

  /** Prepares the ways that lead through changed links. */
  private static void relink(Set<BlockParent> holders, Transaction transaction) {
    Set<BlockBackend> backends = new LinkedHashSet<>();
    for (BlockParent holder : holders) {
      switch (holder) {
        case BlockBackend backend -> backends.add(backend);
        case BlockNode node -> node.addBackends(backends);
      }
    }
    backends.forEach(backend -> backend.prepareRelink(transaction));
  }
}
