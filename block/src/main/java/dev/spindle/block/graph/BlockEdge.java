// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * One parent's hold on one node (QEMU's BdrvChild); two holds are never the same, however alike.
 * Every field is protected by the control lock; where it leads changes only while that node stands
 * still ({@link DrainedSection}), and only through a {@link GraphChange}.
 */
public final class BlockEdge {
  private final BlockParent parent;
  private final String name;
  private final Set<ChildRole> roles;
  private BlockNode node;
  private Set<Permission> used;
  private Set<Permission> shared;
  private String frozenBy;

  /** If the parent is a backend: the sections in which it has its node to itself. */
  private final List<IsolatedSection> isolations = new ArrayList<>();

  /** Whether the parent has been told to send nothing, because the node is being drained. */
  private boolean quiesced;

  BlockEdge(
      BlockParent parent,
      String name,
      Set<ChildRole> roles,
      BlockNode node,
      Set<Permission> used,
      Set<Permission> shared) {
    this.parent = parent;
    this.name = name;
    this.roles = Set.copyOf(roles);
    this.node = node;
    this.used = Set.copyOf(used);
    this.shared = Set.copyOf(shared);
  }

  /** Who holds. */
  public BlockParent parent() {
    return parent;
  }

  /** The parent's word for the node: {@code root} for a backend, {@code file}, {@code backing}. */
  public String name() {
    return name;
  }

  /** What the node is to the parent. */
  public Set<ChildRole> roles() {
    return roles;
  }

  /** What is held. */
  public BlockNode node() {
    return node;
  }

  /** What the parent does with the node. */
  public Set<Permission> used() {
    return used;
  }

  /** What the parent lets others do with the node meanwhile. */
  public Set<Permission> shared() {
    return shared;
  }

  /**
   * Keeps the link as it is until {@link #unfreeze}, for a job that relies on it.
   *
   * @param user who relies on it, as errors name it
   */
  public void freeze(String user) {
    if (frozenBy != null) {
      throw new IllegalStateException(describe() + " is frozen by " + frozenBy);
    }
    frozenBy = user;
  }

  /** Ends {@link #freeze}. */
  public void unfreeze() {
    frozenBy = null;
  }

  /** Whether somebody relies on the link. */
  public boolean isFrozen() {
    return frozenBy != null;
  }

  void checkNotFrozen() throws BlockException {
    if (frozenBy != null) {
      throw new BlockException("Cannot change %s: %s relies on it".formatted(describe(), frozenBy));
    }
  }

  private String describe() {
    return "'%s' link from %s to '%s'".formatted(name, parent.describe(), node.name());
  }

  /**
   * Puts the link into the graph.
   *
   * @return takes it out again
   */
  Runnable link() {
    Runnable fromParent = parent instanceof BlockNode above ? above.addChild(this) : () -> {};
    Runnable fromNode = node.addParent(this);
    return matched(
        () -> {
          fromNode.run();
          endQuiescence();
          fromParent.run();
        });
  }

  /**
   * Takes the link out of the graph.
   *
   * @return puts it back to where it was
   */
  Runnable unlink() {
    Runnable toNode = node.removeParent(this);
    Runnable toParent = parent instanceof BlockNode above ? above.removeChild(this) : () -> {};
    endQuiescence();
    return () -> {
      toParent.run();
      toNode.run();
      matchQuiescence();
    };
  }

  /**
   * Has the link lead to another node.
   *
   * @return has it lead to the former one again
   */
  Runnable lead(BlockNode to) {
    BlockNode from = node;
    Runnable backToFrom = from.removeParent(this);
    node = to;
    Runnable awayFromTo = to.addParent(this);
    return matched(
        () -> {
          awayFromTo.run();
          node = from;
          backToFrom.run();
          matchQuiescence();
        });
  }

  /** The isolated sections that are on for the parent, to be added to and taken from. */
  List<IsolatedSection> isolations() {
    return isolations;
  }

  void setPermissions(Set<Permission> nextUsed, Set<Permission> nextShared) {
    used = Set.copyOf(nextUsed);
    shared = Set.copyOf(nextShared);
  }

  /** Tells the parent to send nothing; {@code waits} is what to wait for until it does not. */
  void beginQuiescence(List<QuiesceWait> waits) {
    quiesced = true;
    try {
      parent.quiesceBegin(waits);
    } catch (RuntimeException | Error e) {
      quiesced = false;
      throw e;
    }
  }

  /** Ends {@link #beginQuiescence}, if that was. */
  void endQuiescence() {
    if (quiesced) {
      quiesced = false;
      parent.quiesceEnd();
    }
  }

  /**
   * The parent of a node that stands still sends nothing. Whoever edits links has drained the
   * parent as well, so there is nothing to wait for.
   */
  private void matchQuiescence() {
    if (node.quiesceDepth() == 0) {
      endQuiescence();
    } else if (!quiesced) {
      beginQuiescence(new ArrayList<>());
    }
  }

  /** Returns {@code undo}, once the parent knows whether to stand still; or undoes it. */
  private Runnable matched(Runnable undo) {
    try {
      matchQuiescence();
    } catch (RuntimeException | Error e) {
      undo.run();
      throw e;
    }
    return undo;
  }

  /** As errors name a user of a node: who, which node, and as what. */
  String describeUse() {
    return "%s (uses node '%s' as '%s' child)".formatted(parent.describe(), node.name(), name);
  }

  static Set<Permission> usedBy(List<BlockEdge> edges) {
    Set<Permission> used = Permission.none();
    edges.forEach(edge -> used.addAll(edge.used));
    return used;
  }

  static Set<Permission> sharedBy(List<BlockEdge> edges) {
    Set<Permission> shared = Permission.all();
    edges.forEach(edge -> shared.retainAll(edge.shared));
    return shared;
  }
}
