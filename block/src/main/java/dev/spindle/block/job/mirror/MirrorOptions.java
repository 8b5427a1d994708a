// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import java.util.Optional;

/**
 * What users say of a mirror, in QAPI's words.
 *
 * @param job what they say of every job
 * @param sync what to copy at first
 * @param bitmap for {@link SyncMode#INCREMENTAL} and {@link SyncMode#BITMAP}, and only then
 * @param bitmapMode what becomes of the bitmap; {@link BitmapMode#ON_SUCCESS} if incremental
 * @param copyMode how to get at what is written meanwhile
 * @param granularity of the copying in bytes: a power of two from 512 to 64 MiB
 * @param bufSize {@code buf-size}: the most bytes on their way
 * @param filterNodeName {@code filter-node-name}: of the filter that stands before the source
 */
public record MirrorOptions(
    JobOptions job,
    SyncMode sync,
    Optional<SyncBitmap> bitmap,
    BitmapMode bitmapMode,
    CopyMode copyMode,
    int granularity,
    long bufSize,
    Optional<String> filterNodeName) {
  private static final int DEFAULT_GRANULARITY = 64 << 10;
  private static final long DEFAULT_BUF_SIZE = 16 << 20;
  private static final int MOST_GRANULARITY = 64 << 20;

  /** QEMU's defaults. */
  public static MirrorOptions of(JobOptions job, SyncMode sync, CopyMode copyMode) {
    return new MirrorOptions(
        job,
        sync,
        Optional.empty(),
        BitmapMode.ON_SUCCESS,
        copyMode,
        DEFAULT_GRANULARITY,
        DEFAULT_BUF_SIZE,
        Optional.empty());
  }

  /** The same with a bitmap. */
  public MirrorOptions with(SyncBitmap given, BitmapMode mode) {
    return new MirrorOptions(
        job, sync, Optional.of(given), mode, copyMode, granularity, bufSize, filterNodeName);
  }

  /** The same with other sizes. */
  public MirrorOptions sized(int newGranularity, long newBufSize) {
    return new MirrorOptions(
        job, sync, bitmap, bitmapMode, copyMode, newGranularity, newBufSize, filterNodeName);
  }

  void check() throws BlockException {
    if (granularity < 512 || granularity > MOST_GRANULARITY) {
      throw new BlockException("Parameter 'granularity' expects a value in range [512B, 64MB]");
    }
    if (Integer.bitCount(granularity) != 1) {
      throw new BlockException("Parameter 'granularity' expects a power of 2");
    }
    if (bufSize < 1) {
      throw new BlockException("Invalid parameter 'buf-size'");
    }
    sync.checkBitmap(bitmap, bitmapMode);
  }
}
