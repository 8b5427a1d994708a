// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.nbd.MetaContexts;

/** One thing that block status can tell of an export. */
sealed interface MetaContext {
  /** What it is called. */
  String name();

  /** The number that stands for it on the wire: the same for all clients of an export. */
  int number();

  /** A run of bytes of one status. */
  record Extent(long length, int status) {}

  /**
   * The status of the start of a range. On a virtual thread of the lane's context; may wait.
   *
   * @param length positive
   */
  Extent extent(BackendLane lane, long offset, long length);

  /**
   * The status of a block of which parts have one and another: what holds for all that is there.
   */
  int join(int one, int another);

  /** {@code base:allocation}. */
  record Allocation(int number) implements MetaContext {
    @Override
    public String name() {
      return MetaContexts.BASE_ALLOCATION;
    }

    @Override
    public Extent extent(BackendLane lane, long offset, long length) {
      BlockStatus status = lane.blockStatus(offset, length);
      int hole = status.data() ? 0 : MetaContexts.STATE_HOLE;
      int zero = status.zero() ? MetaContexts.STATE_ZERO : 0;
      return new Extent(status.length(), hole | zero);
    }

    /** A hole, or zeroes, are so throughout. */
    @Override
    public int join(int one, int another) {
      return one & another;
    }
  }

  /** {@code qemu:allocation-depth}. */
  record AllocationDepth(int number) implements MetaContext {
    @Override
    public String name() {
      return MetaContexts.QEMU_ALLOCATION_DEPTH;
    }

    @Override
    public Extent extent(BackendLane lane, long offset, long length) {
      BlockStatus status = lane.blockStatus(offset, length);
      return new Extent(status.length(), status.depth());
    }

    /** The uppermost layer that has some of it. */
    @Override
    public int join(int one, int another) {
      return one == 0 || another == 0 ? one + another : Math.min(one, another);
    }
  }

  /** {@code qemu:dirty-bitmap:NAME}; the export has reserved the bitmap. */
  record Bitmap(int number, String bitmapName, HierarchicalBitmap bits) implements MetaContext {
    @Override
    public String name() {
      return MetaContexts.QEMU_DIRTY_BITMAP + bitmapName;
    }

    @Override
    public Extent extent(BackendLane lane, long offset, long length) {
      long end = offset + length;
      DirtyArea dirty = bits.nextDirtyArea(offset, end, length);
      if (dirty == null) {
        return new Extent(length, 0);
      }
      return dirty.offset() > offset
          ? new Extent(dirty.offset() - offset, 0)
          : new Extent(dirty.bytes(), MetaContexts.STATE_DIRTY);
    }

    /** What is dirty in part is dirty. */
    @Override
    public int join(int one, int another) {
      return one | another;
    }
  }
}
