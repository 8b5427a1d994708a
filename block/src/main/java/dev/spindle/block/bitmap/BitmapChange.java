// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.Transaction;
import java.util.List;
import java.util.OptionalLong;

/**
 * What is done to the bitmaps of one node as part of a transaction: it is done at once, and taken
 * back if the transaction is aborted; but for what is removed, which goes when it is committed, and
 * is busy until then. The node stands still from before the first of it until the transaction has
 * ended. Control side.
 */
public final class BitmapChange {
  private final DirtyBitmaps bitmaps;
  private final Transaction transaction;

  /**
   * Changes nothing yet.
   *
   * @param transaction what every change is added to
   */
  public BitmapChange(DirtyBitmaps bitmaps, Transaction transaction) {
    this.bitmaps = bitmaps;
    this.transaction = transaction;
  }

  /**
   * As {@link DirtyBitmaps#add}, or {@link DirtyBitmaps#addPersistent}; it records nothing if it is
   * {@code disabled}.
   */
  public void add(String name, OptionalLong granularity, boolean persistent, boolean disabled)
      throws BlockException {
    DirtyBitmap bitmap =
        persistent ? bitmaps.addPersistent(name, granularity) : bitmaps.add(name, granularity);
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            forget(bitmap);
          }
        });
    if (disabled) {
      bitmaps.disable(bitmap);
    }
  }

  /** As {@link DirtyBitmaps#remove}, but that the image goes on listing it until it is stored. */
  public void remove(DirtyBitmap bitmap) throws BlockException {
    bitmap.checkRemovable();
    bitmaps.willChange(bitmap);
    bitmap.busy = true;
    transaction.add(
        new Transaction.Action() {
          private boolean committed;

          @Override
          public void commit() {
            committed = true;
          }

          /** After links have changed that the transaction changes as well. */
          @Override
          public void clean() {
            bitmap.busy = false;
            if (committed) {
              forget(bitmap);
            }
          }
        });
  }

  private void forget(DirtyBitmap bitmap) {
    try {
      bitmaps.drop(bitmap);
    } catch (BlockException e) {
      throw new IllegalStateException("a bitmap that nobody uses cannot be removed", e);
    }
  }

  /** As {@link DirtyBitmaps#clear}. */
  public void clear(DirtyBitmap bitmap) throws BlockException {
    bitmap.checkModifiable();
    keepBits(bitmap);
    bitmap.bits.clear();
  }

  /** As {@link DirtyBitmaps#merge}. */
  public void merge(DirtyBitmap target, List<DirtyBitmap> sources) throws BlockException {
    target.checkModifiable();
    keepBits(target);
    bitmaps.merge(target, sources);
  }

  /** Has the bitmap work on a copy of what it holds. */
  private void keepBits(DirtyBitmap bitmap) throws BlockException {
    bitmaps.willChange(bitmap);
    HierarchicalBitmap before = bitmap.bits;
    HierarchicalBitmap copy = new HierarchicalBitmap(bitmap.size(), bitmap.granularity());
    copy.merge(before);
    bitmap.bits = copy;
    bitmaps.publish();
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            bitmap.bits = before;
            bitmaps.publish();
          }
        });
  }

  /** As {@link DirtyBitmaps#enable}. */
  public void enable(DirtyBitmap bitmap) throws BlockException {
    boolean before = bitmap.enabled;
    bitmaps.enable(bitmap);
    restoreRecording(bitmap, before);
  }

  /** As {@link DirtyBitmaps#disable}. */
  public void disable(DirtyBitmap bitmap) throws BlockException {
    boolean before = bitmap.enabled;
    bitmaps.disable(bitmap);
    restoreRecording(bitmap, before);
  }

  private void restoreRecording(DirtyBitmap bitmap, boolean before) {
    transaction.add(
        new Transaction.Action() {
          @Override
          public void abort() {
            bitmap.enabled = before;
            bitmaps.publish();
          }
        });
  }
}
