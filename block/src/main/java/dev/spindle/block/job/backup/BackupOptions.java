// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.backup;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import java.util.Optional;

/**
 * What users say of a backup, in QAPI's words.
 *
 * @param job what they say of every job
 * @param sync what to copy
 * @param bitmap for {@link SyncMode#INCREMENTAL} and {@link SyncMode#BITMAP}, and only then
 * @param bitmapMode what becomes of the bitmap; {@link BitmapMode#ON_SUCCESS} if incremental
 * @param filterNodeName {@code filter-node-name}: of the filter that stands before the source
 */
public record BackupOptions(
    JobOptions job,
    SyncMode sync,
    Optional<SyncBitmap> bitmap,
    BitmapMode bitmapMode,
    Optional<String> filterNodeName) {
  /** A backup without a bitmap. */
  public static BackupOptions of(JobOptions job, SyncMode sync) {
    return new BackupOptions(job, sync, Optional.empty(), BitmapMode.ON_SUCCESS, Optional.empty());
  }

  /** The same with a bitmap. */
  public BackupOptions with(SyncBitmap given, BitmapMode mode) {
    return new BackupOptions(job, sync, Optional.of(given), mode, filterNodeName);
  }

  void check() throws BlockException {
    sync.checkBitmap(bitmap, bitmapMode);
  }
}
