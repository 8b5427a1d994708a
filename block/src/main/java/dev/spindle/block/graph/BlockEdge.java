// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Set;

/**
 * One parent's hold on one node (QEMU's BdrvChild); two holds are never the same, however alike.
 * Protected by the control lock.
 */
public final class BlockEdge {
  private final BlockParent parent;
  private final String role;
  private final BlockNode node;
  private final Set<Permission> used;
  private final Set<Permission> shared;

  BlockEdge(
      BlockParent parent,
      String role,
      BlockNode node,
      Set<Permission> used,
      Set<Permission> shared) {
    this.parent = parent;
    this.role = role;
    this.node = node;
    this.used = Set.copyOf(used);
    this.shared = Set.copyOf(shared);
  }

  /** Who holds. */
  public BlockParent parent() {
    return parent;
  }

  /** What the node is to the parent: {@code root} for a backend, {@code file} for a format. */
  public String role() {
    return role;
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
}
