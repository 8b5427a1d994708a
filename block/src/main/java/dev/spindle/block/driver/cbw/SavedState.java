// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cbw;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.RangeLocks;

/**
 * How much of a node, as it was at one moment, has been saved elsewhere. Whoever saves a range has
 * it alone meanwhile, be it a write that is about to destroy it or a job: from any context.
 */
public final class SavedState {
  /** The most bytes saved in one go. */
  public static final long PIECE = 1 << 20;

  private final RangeLocks ranges = new RangeLocks();

  /**
   * What has to be saved yet. Nothing is added, and something is taken out by one thread at a time,
   * which holds the lock of the bitmap's object; it may be searched without.
   */
  private final HierarchicalBitmap unsaved;

  /** Why old data was lost, an errno; 0 while none was. */
  private volatile int broken;

  /** Whether nothing is to be saved any more. */
  private volatile boolean stopped;

  /** Saves a range. */
  @FunctionalInterface
  public interface Saver {
    /**
     * Copies it from where it is to where it is saved, and waits.
     *
     * @param length from 1 to {@link SavedState#PIECE} bytes
     * @return 0 or a negated errno
     */
    int save(long offset, long length);
  }

  /**
   * Nothing is saved yet.
   *
   * @param unsaved what is to be saved; given up to this object. A granule is saved whole, and is
   *     no larger than a piece
   */
  public SavedState(HierarchicalBitmap unsaved) {
    if (unsaved.granularity() > PIECE) {
      throw new IllegalArgumentException("granules of " + unsaved.granularity() + " bytes");
    }
    this.unsaved = unsaved;
  }

  /** Whether some of a range would be lost if it were overwritten now. Any thread; no lock. */
  boolean isUnsaved(long offset, long length) {
    return !stopped && unsaved.nextDirty(offset, offset + length) >= 0;
  }

  /** The first range from {@code start} on that is not saved; null if there is none. */
  public DirtyArea nextUnsaved(long start) {
    return next(start, unsaved.size());
  }

  /** How many bytes are not saved. Any thread. */
  public long unsavedBytes() {
    return unsaved.dirtyBytes();
  }

  /** What is not saved, once nobody saves any more. */
  public HierarchicalBitmap unsaved() {
    return unsaved;
  }

  /**
   * Saves what is not yet saved of a range, or has been by somebody else while this waited. On a
   * virtual thread.
   *
   * @return 0, or the negated errno with which saving failed
   */
  public int save(long offset, long length, Saver saver) {
    long granule = unsaved.granularity();
    long start = offset & -granule;
    long end = Math.min((offset + length + granule - 1) & -granule, unsaved.size());
    try (RangeLocks.Held held = ranges.lock(start, end, true)) {
      DirtyArea area;
      while ((area = next(start, end)) != null) {
        int result = saver.save(area.offset(), area.bytes());
        if (result < 0) {
          return result;
        }
        synchronized (unsaved) {
          unsaved.reset(area.offset(), area.bytes());
        }
      }
    }
    return 0;
  }

  private DirtyArea next(long start, long end) {
    synchronized (unsaved) {
      return unsaved.nextDirtyArea(start, end, PIECE);
    }
  }

  /** A range need not be saved; what it has of a granule together with others still is. */
  public void forget(long offset, long length) {
    long granule = unsaved.granularity();
    long start = (offset + granule - 1) & -granule;
    long end = offset + length == unsaved.size() ? unsaved.size() : (offset + length) & -granule;
    if (start < end) {
      synchronized (unsaved) {
        unsaved.reset(start, end - start);
      }
    }
  }

  /** Old data is lost: the rest need not be saved. */
  void breakOff(int errno) {
    broken = errno;
    stopped = true;
  }

  /** Why old data was lost, an errno; 0 if none was. */
  public int broken() {
    return broken;
  }

  /** Nothing needs to be saved any more. */
  public void stop() {
    stopped = true;
  }
}
