// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.job.CopyMode;
import java.util.concurrent.atomic.AtomicInteger;

/** What the filter tells the job, from every context from which the source is written. */
final class MirrorState {
  final Overlaps overlaps = new Overlaps();

  /** What the target lacks. Anybody sets, the job alone searches and resets. */
  final HierarchicalBitmap dirty;

  private final Runnable onTargetError;

  /** An errno, or 0. Set from any context, taken by the job. */
  private final AtomicInteger targetError = new AtomicInteger();

  /** Set by the job or its user; writes look at it as they begin. */
  private volatile CopyMode copyMode;

  /** Whether the filter has nothing to do any more. Changed while nothing is on its way. */
  private volatile boolean stopped;

  MirrorState(HierarchicalBitmap dirty, CopyMode copyMode, Runnable onTargetError) {
    this.dirty = dirty;
    this.copyMode = copyMode;
    this.onTargetError = onTargetError;
  }

  /** The source has changed there, and the target has not; or that is not certain. */
  void mark(long offset, long length) {
    dirty.set(offset, length);
  }

  CopyMode copyMode() {
    return copyMode;
  }

  void setCopyMode(CopyMode mode) {
    copyMode = mode;
  }

  boolean isStopped() {
    return stopped;
  }

  void setStopped(boolean value) {
    stopped = value;
  }

  /**
   * A write of the filter's to the target failed.
   *
   * @return whether the job is to be {@link #tellOfTargetError told}, else it is about to be
   */
  boolean targetFailed(int errno) {
    return targetError.getAndSet(errno) == 0;
  }

  /** Has the job look at the error. On a context's own thread, hence without waiting. */
  void tellOfTargetError() {
    onTargetError.run();
  }

  /** Why a write of the filter's failed since the last call, or 0. */
  int takeTargetError() {
    return targetError.getAndSet(0);
  }
}
