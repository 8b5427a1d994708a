// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Set;

/**
 * What a child is to its parent (QEMU's BdrvChildRole); decides which permissions the parent's use
 * of it needs. A child may have several roles.
 */
public enum ChildRole {
  /** It holds data that the parent's users see. */
  DATA,
  /** It holds the parent's own metadata. */
  METADATA,
  /** What goes to the parent, a filter, goes to it unchanged, and nothing else does. */
  FILTERED,
  /** The parent reads there what it does not hold itself (a backing file). */
  COW,
  /** The one that stands for the parent where only one can: its file name, its length. */
  PRIMARY;

  /** The only child of a filter, or the node under a backend. */
  public static final Set<ChildRole> FILTER = Set.of(FILTERED, PRIMARY);

  /** The file of an image format. */
  public static final Set<ChildRole> IMAGE = Set.of(DATA, METADATA, PRIMARY);

  /** A file with data alone, beside another with the metadata. */
  public static final Set<ChildRole> EXTERNAL = Set.of(DATA);

  /** The backing file of an overlay. */
  public static final Set<ChildRole> BACKING = Set.of(COW);
}
