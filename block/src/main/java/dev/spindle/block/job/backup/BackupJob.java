// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.backup;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.driver.cbw.CbwNode;
import dev.spindle.block.driver.cbw.OnCbwError;
import dev.spindle.block.driver.cbw.SavedState;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.JobBackend;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.util.EnumSet;

/**
 * Copies a node as it is when the job is created, while others go on writing to it (QAPI's
 * blockdev-backup): a filter saves what they are about to overwrite. With {@link SyncMode#NONE} the
 * filter does all the work, until the job is cancelled.
 */
public final class BackupJob extends JobDriver {
  /** How long it waits after an error before it tries again. */
  private static final long SLICE_NS = 100_000_000;

  private final BlockGraph graph;
  private final BlockNode source;
  private final BlockNode target;
  private final BackupOptions options;
  private SavedState state;
  private CbwNode filter;
  private JobBackend from;
  private JobBackend to;
  private boolean holdsBitmap;

  // The job's thread.
  private PieceThreads pieces;

  /**
   * What is to copy what. Control side; {@link dev.spindle.block.job.Jobs#create} does the rest.
   */
  public BackupJob(BlockGraph graph, BlockNode source, BlockNode target, BackupOptions options) {
    this.graph = graph;
    this.source = source;
    this.target = target;
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
    claim(source);
    claim(target);
    try {
      state = new SavedState(unsaved());
      String name = graph.newName(options.filterNodeName());
      AioContext home = target.context();
      bring(target, source.context());
      try {
        filter = new CbwNode(name, source, target, state, OnCbwError.BREAK_SNAPSHOT);
      } catch (BlockException e) {
        bring(target, home);
        throw e;
      }
      graph.add(filter);
      claim(filter);
      graph.insertFilter(filter, source);
      from = hold(source, EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
      // The filter holds the permission to write.
      to = hold(target, Permission.none(), Permission.all());
    } catch (BlockException e) {
      abort();
      clean();
      throw e;
    }
    filter.children().forEach(this::freeze);
  }

  /** The bitmap is frozen before the filter stands: no write falls between the two. */
  private HierarchicalBitmap unsaved() throws BlockException {
    HierarchicalBitmap unsaved =
        new HierarchicalBitmap(source.length(), DirtyBitmap.defaultGranularity(0));
    switch (options.sync()) {
      case FULL, NONE -> unsaved.set(0, source.length());
      case INCREMENTAL, BITMAP -> {
        SyncBitmap given = options.bitmap().orElseThrow();
        given.bitmaps().freeze(given.bitmap());
        holdsBitmap = true;
        unsaved.merge(given.bitmap().bits());
      }
    }
    return unsaved;
  }

  @Override
  protected void run() throws BlockException {
    if (options.sync() == SyncMode.NONE) {
      awaitCancellation();
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
    int result = to.flush();
    if (result < 0) {
      throw failure(true, -result);
    }
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
    PieceThreads.Failure failed = pieces.takeFailure();
    if (failed != null) {
      int errno = failed.errno();
      switch (failed.write() ? targetError(true, errno) : sourceError(false, errno)) {
        case REPORT -> throw failure(failed.write(), errno);
        // It is tried again, but not at once.
        case IGNORE -> sleep(SLICE_NS);
        case STOP -> pausePoint();
      }
    }
  }

  /** The filter's part is progress as well. */
  private void report() {
    left(state.unsavedBytes());
  }

  private void checkSnapshot() throws BlockException {
    if (state.broken() != 0) {
      targetError(true, state.broken());
      throw failure(true, state.broken());
    }
  }

  private BlockException failure(boolean write, int errno) {
    return new BlockException(
        "%s node '%s' failed: %s"
            .formatted(
                write ? "Writing to" : "Reading from",
                write ? target.name() : source.name(),
                Errno.message(errno)));
  }

  @Override
  protected void paused() {
    if (pieces != null) {
      pieces.awaitAll();
    }
  }

  @Override
  protected void commit() {
    removeFilter();
    endBitmap(options.bitmapMode() != BitmapMode.NEVER);
  }

  @Override
  protected void abort() {
    if (filter != null) {
      removeFilter();
    }
    if (holdsBitmap && options.bitmapMode() == BitmapMode.ALWAYS) {
      SyncBitmap given = options.bitmap().orElseThrow();
      given.bitmap().bits().clear();
      given.bitmap().bits().merge(state.unsaved());
    }
    endBitmap(false);
  }

  private void endBitmap(boolean copied) {
    if (holdsBitmap) {
      holdsBitmap = false;
      SyncBitmap given = options.bitmap().orElseThrow();
      if (copied) {
        given.bitmaps().abdicate(given.bitmap());
      } else {
        given.bitmaps().reclaim(given.bitmap());
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
    releaseNodes();
    try {
      if (filter != null) {
        graph.close(filter);
      }
    } catch (BlockException e) {
      throw new IllegalStateException("somebody uses the filter of a backup that is over", e);
    }
  }
}
