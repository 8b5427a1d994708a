// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.backup;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.driver.cbw.CbwNode;
import dev.spindle.block.driver.cbw.OnCbwError;
import dev.spindle.block.driver.cbw.SavedState;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.job.CopyJob;
import dev.spindle.block.job.HeldBitmap;
import dev.spindle.block.job.SyncMode;
import java.lang.foreign.Arena;

/**
 * Copies a node as it is when the job is created, while others go on writing to it (QAPI's
 * blockdev-backup): a filter saves what they are about to overwrite. With {@link SyncMode#NONE} the
 * filter does all the work, until the job is cancelled.
 */
public final class BackupJob extends CopyJob {
  private final BackupOptions options;
  private SavedState state;
  private CbwNode filter;
  private HeldBitmap bitmap;

  /** Whether only what the source holds itself is to be saved. */
  private boolean topOnly;

  // The job's thread.
  private PieceThreads pieces;

  /**
   * What is to copy what. Control side; {@link dev.spindle.block.job.Jobs#create} does the rest.
   */
  public BackupJob(BlockGraph graph, BlockNode source, BlockNode target, BackupOptions options) {
    super(graph, source, target);
    this.options = options;
  }

  @Override
  protected String type() {
    return "backup";
  }

  @Override
  protected void open() throws BlockException {
    options.check();
    if (source == target) {
      throw new BlockException("Source and target cannot be the same");
    }
    if (target.length() != source.length()) {
      throw new BlockException(
          "Node '%s' has %d bytes, and cannot take a backup of node '%s', which has %d"
              .formatted(target.name(), target.length(), source.name(), source.length()));
    }
    claimBoth();
    topOnly = options.sync() == SyncMode.TOP && hasBacking();
    // No write comes between the moment that the bitmap tells of and the moment that is saved.
    DrainedSection moment = DrainedSection.begin(source);
    try (moment) {
      state = new SavedState(unsaved());
      insertFilter(graph.newName(options.filterNodeName()));
      holdBoth(filter);
    } catch (BlockException | RuntimeException | Error e) {
      takeAway(bitmap);
      throw e;
    }
    filter.children().forEach(this::freeze);
  }

  private HierarchicalBitmap unsaved() throws BlockException {
    HierarchicalBitmap unsaved =
        new HierarchicalBitmap(source.length(), DirtyBitmap.defaultGranularity(0));
    switch (options.sync()) {
      case FULL, TOP, NONE -> unsaved.set(0, source.length());
      case INCREMENTAL, BITMAP -> {
        bitmap = HeldBitmap.ofMoment(options.bitmap().orElseThrow(), options.bitmapMode());
        unsaved.merge(bitmap.bits());
      }
    }
    return unsaved;
  }

  private void insertFilter(String name) throws BlockException {
    bringTarget();
    filter = new CbwNode(name, source, target, state, OnCbwError.BREAK_SNAPSHOT);
    graph.add(filter);
    graph.insertFilter(filter, source);
  }

  @Override
  protected void run() throws BlockException {
    if (options.sync() == SyncMode.NONE) {
      awaitCancellation();
    }
    if (topOnly) {
      findHeld(
          (offset, length, held) -> {
            if (!held) {
              state.forget(offset, length);
            }
          });
    }
    try (Arena arena = Arena.ofShared()) {
      pieces = new PieceThreads(state, from, to, arena);
      try {
        copyAll();
      } finally {
        pieces.awaitAll();
        pieces = null;
      }
    }
    checkSnapshot();
    flushTarget();
  }

  private void awaitCancellation() throws BlockException {
    remaining(state.unsavedBytes());
    while (true) {
      sleep(SLICE_NS);
      checkSnapshot();
      report();
    }
  }

  private void copyAll() throws BlockException {
    remaining(state.unsavedBytes());
    while (state.unsavedBytes() > 0) {
      long cursor = 0;
      DirtyArea area;
      while ((area = state.nextUnsaved(cursor)) != null) {
        pieces.awaitRoom();
        pieces.start(area);
        cursor = area.end();
        limit(area.bytes());
        collect();
      }
      pieces.awaitAll();
      collect();
    }
  }

  private void collect() throws BlockException {
    report();
    checkSnapshot();
    PieceThreads.Failure failure = pieces.takeFailure();
    if (failure != null) {
      failed(failure.write(), failure.errno());
    }
  }

  /** The filter's part is progress as well. */
  private void report() {
    left(state.unsavedBytes());
  }

  private void checkSnapshot() throws BlockException {
    if (state.broken() != 0) {
      fatalError(true, state.broken());
      throw failure(true, state.broken());
    }
  }

  @Override
  protected void paused() {
    if (pieces != null) {
      pieces.awaitAll();
    }
  }

  @Override
  protected void commit() {
    try {
      removeFilter();
    } finally {
      if (bitmap != null) {
        bitmap.succeeded();
      }
    }
  }

  @Override
  protected void abort() {
    try {
      if (filter != null) {
        removeFilter();
      }
    } finally {
      if (state != null) {
        fail(bitmap, state.unsaved());
      }
    }
  }

  private void removeFilter() {
    state.stop();
    GraphChange change = new GraphChange();
    change.replace(filter, source);
    try {
      change.run();
    } catch (BlockException e) {
      throw new IllegalStateException("the source of a backup cannot be used as before", e);
    }
  }

  @Override
  protected void clean() {
    try {
      releaseNodes();
    } finally {
      closeFilter(filter);
    }
  }
}
