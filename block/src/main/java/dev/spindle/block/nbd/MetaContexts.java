// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** The names of metadata contexts, and what their status words mean. */
public final class MetaContexts {
  /** Whether a range takes up storage, and whether it reads as zeroes. */
  public static final String BASE_ALLOCATION = "base:allocation";

  /** In which layer of a backing chain a range is allocated: 0 none, 1 the first. */
  public static final String QEMU_ALLOCATION_DEPTH = "qemu:allocation-depth";

  /** Followed by the name of a bitmap: what is dirty in it. */
  public static final String QEMU_DIRTY_BITMAP = "qemu:dirty-bitmap:";

  /** {@link #BASE_ALLOCATION}: takes up no storage. */
  public static final int STATE_HOLE = 1;

  /** {@link #BASE_ALLOCATION}: reads as zeroes. */
  public static final int STATE_ZERO = 1 << 1;

  /** {@link #QEMU_DIRTY_BITMAP}: dirty. */
  public static final int STATE_DIRTY = 1;

  private MetaContexts() {}
}
