// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import dev.spindle.block.graph.BlockException;

/**
 * A dirty bitmap of a node: what was written to it while the bitmap was enabled. Its {@link
 * DirtyBitmaps} changes its state; a job that {@linkplain DirtyBitmaps#freeze froze} it, or {@link
 * DirtyBitmaps#reserve holds} it, searches and resets its {@link #bits} until it lets go.
 *
 * <p>Every field is protected by the control lock. The job that holds the bitmap may read them
 * elsewhere: they do not change meanwhile.
 */
public final class DirtyBitmap {
  /** Bytes for one bit, at least. */
  public static final int LEAST_GRANULARITY = 512;

  private static final long LEAST_DEFAULT_GRANULARITY = 4 << 10;
  private static final long MOST_DEFAULT_GRANULARITY = 64 << 10;

  private final String name;
  HierarchicalBitmap bits;

  /** While frozen, takes the place of {@link #bits} for what is written; else null. */
  HierarchicalBitmap successor;

  /** Whether writes mark {@link #bits}, or the successor if there is one. */
  boolean enabled = true;

  boolean persistent;
  boolean busy;
  boolean readOnly;
  boolean inconsistent;

  /** A null name makes it a job's own, which users do not see. */
  DirtyBitmap(String name, HierarchicalBitmap bits) {
    this.name = name;
    this.bits = bits;
  }

  /**
   * What QEMU takes if the user does not say: the cluster size, but at least 4 KiB and at most 64
   * KiB.
   *
   * @param clusterSize of the image format in bytes, 0 if it has none
   */
  public static long defaultGranularity(long clusterSize) {
    return clusterSize <= 0
        ? MOST_DEFAULT_GRANULARITY
        : Math.clamp(clusterSize, LEAST_DEFAULT_GRANULARITY, MOST_DEFAULT_GRANULARITY);
  }

  /** Unique within the node; null for a job's own. */
  public String name() {
    return name;
  }

  /** What is dirty; while frozen, as it was when it was frozen, and as the job left it since. */
  public HierarchicalBitmap bits() {
    return bits;
  }

  /** Bytes for one bit: a power of two from 512 to 2 GiB. */
  public long granularity() {
    return bits.granularity();
  }

  /** Of the disk, in bytes. */
  public long size() {
    return bits.size();
  }

  /** Whether what is written is recorded, be it by the successor. */
  public boolean recording() {
    return enabled;
  }

  /** Whether it lives on in the image file. */
  public boolean persistent() {
    return persistent;
  }

  /** Whether a job, an export or a migration holds it. */
  public boolean busy() {
    return busy;
  }

  /** Whether a job froze it: see {@link DirtyBitmaps#freeze}. */
  public boolean frozen() {
    return successor != null;
  }

  /** Whether neither it nor the disk under it may change. */
  public boolean readOnly() {
    return readOnly;
  }

  /** Whether the image file says that it was not saved properly; it can only be removed. */
  public boolean inconsistent() {
    return inconsistent;
  }

  /**
   * For what changes its content.
   *
   * @throws BlockException if it is busy, read-only or inconsistent
   */
  public void checkModifiable() throws BlockException {
    checkRemovable();
    checkConsistent();
  }

  /**
   * For what reads its content, or starts and stops its recording.
   *
   * @throws BlockException if it is busy or inconsistent
   */
  public void checkUsable() throws BlockException {
    checkNotBusy();
    checkConsistent();
  }

  void checkRemovable() throws BlockException {
    checkNotBusy();
    if (readOnly) {
      throw new BlockException("Bitmap '" + name + "' is readonly and cannot be modified");
    }
  }

  void checkNotBusy() throws BlockException {
    if (busy) {
      throw new BlockException(
          "Bitmap '" + name + "' is currently in use by another operation and cannot be used");
    }
  }

  private void checkConsistent() throws BlockException {
    if (inconsistent) {
      throw new BlockException("Bitmap '" + name + "' is inconsistent and cannot be used");
    }
  }

  /** What writes mark, or null if it does not record. */
  HierarchicalBitmap marked() {
    if (!enabled) {
      return null;
    }
    return successor != null ? successor : bits;
  }

  /** As {@code query-block} tells. */
  DirtyBitmapInfo info() {
    return new DirtyBitmapInfo(
        name, bits.dirtyBytes(), granularity(), enabled, busy, persistent, inconsistent);
  }
}
