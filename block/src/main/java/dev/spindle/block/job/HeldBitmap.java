// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BlockException;

/**
 * A job's hold on the bitmap that it goes by, and what becomes of the bitmap in the end. Nobody
 * else changes the bitmap until then; only the first end counts. Control side.
 */
public final class HeldBitmap {
  private final DirtyBitmaps bitmaps;
  private final DirtyBitmap bitmap;
  private final BitmapMode mode;
  private boolean over;

  private HeldBitmap(SyncBitmap given, BitmapMode mode) {
    this.bitmaps = given.bitmaps();
    this.bitmap = given.bitmap();
    this.mode = mode;
  }

  /**
   * For a job that copies the node as it is now: what is written from now on is kept apart. Whoever
   * calls it has the node stand still.
   *
   * @throws BlockException if somebody else holds the bitmap, or it cannot be used
   */
  public static HeldBitmap ofMoment(SyncBitmap given, BitmapMode mode) throws BlockException {
    given.bitmaps().freeze(given.bitmap());
    return new HeldBitmap(given, mode);
  }

  /**
   * For a job that copies what is written meanwhile as well: the bitmap goes on recording.
   *
   * @throws BlockException as {@link #ofMoment}
   */
  public static HeldBitmap ongoing(SyncBitmap given, BitmapMode mode) throws BlockException {
    given.bitmaps().reserveForChange(given.bitmap());
    return new HeldBitmap(given, mode);
  }

  /** What was dirty when the hold began; if it is ongoing, what was written since as well. */
  public HierarchicalBitmap bits() {
    return bitmap.bits();
  }

  /** All of it was copied. Of a hold that is ongoing, while nobody writes to the node. */
  public void succeeded() {
    if (over) {
      return;
    }
    over = true;
    boolean cleans = mode != BitmapMode.NEVER;
    if (!bitmap.frozen()) {
      bitmaps.release(bitmap);
      if (cleans) {
        bitmap.bits().clear();
      }
    } else if (cleans) {
      bitmaps.abdicate(bitmap);
    } else {
      bitmaps.reclaim(bitmap);
    }
  }

  /** Whether {@link #failed} would have it say what was copied, although not all was. */
  boolean tellsOfPart() {
    return !over && mode == BitmapMode.ALWAYS;
  }

  /**
   * Not all of it was copied. Of a hold that is ongoing, while nobody writes to the node.
   *
   * @param uncopied what was not, of all that the hold concerned
   */
  public void failed(HierarchicalBitmap uncopied) {
    if (tellsOfPart()) {
      bitmap.bits().clear();
      bitmap.bits().merge(uncopied);
    }
    giveBack();
  }

  /** Nothing was copied, or nothing that can be relied on. */
  public void giveBack() {
    if (over) {
      return;
    }
    over = true;
    if (bitmap.frozen()) {
      bitmaps.reclaim(bitmap);
    } else {
      bitmaps.release(bitmap);
    }
  }
}
