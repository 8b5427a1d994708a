// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.IsolatedSection;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.block.job.JobBackend;
import dev.spindle.block.job.JobDriver;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;

/**
 * Copies a node and keeps the copy up to date (QAPI's blockdev-mirror). Once it is ready,
 * completing it puts the copy in the node's place, under everybody who uses the node; cancelling it
 * without force leaves the copy as it is at that moment.
 */
public final class MirrorJob extends JobDriver {
  private static final int MOST_OPERATIONS = 16;
  private static final long PIECE = 1 << 20;

  /** How long it looks at nothing when there is nothing to copy, or after an error. */
  private static final long SLICE_NS = 100_000_000;

  /** With so little left, what is left is copied while nobody writes. */
  private static final long LITTLE = 1 << 20;

  private final BlockGraph graph;
  private final BlockNode source;
  private final BlockNode target;
  private final MirrorOptions options;
  private final long size;

  /** Bytes of a piece, at most. */
  private final long piece;

  private MirrorState state;
  private MirrorFilter filter;
  private JobBackend from;
  private JobBackend to;
  private boolean holdsBitmap;

  // The job's thread.
  private Copier copier;
  private long cursor;

  private volatile boolean isReady;
  private volatile boolean shouldComplete;

  // Control side.
  private IsolatedSection isolated;
  private Transaction replacement;

  /**
   * What is to copy what. Control side; {@link dev.spindle.block.job.Jobs#create} does the rest.
   */
  public MirrorJob(BlockGraph graph, BlockNode source, BlockNode target, MirrorOptions options) {
    this.graph = graph;
    this.source = source;
    this.target = target;
    this.options = options;
    this.size = source.length();
    this.piece = Math.max(PIECE, options.granularity());
  }

  @Override
  protected String type() {
    return "mirror";
  }

  @Override
  protected void open() throws BlockException {
    options.check();
    if (source == target) {
      throw new BlockException("Can't mirror node into itself");
    }
    if (target.length() != size) {
      throw new BlockException(
          "Node '%s' has %d bytes, and cannot be a mirror of node '%s', which has %d"
              .formatted(target.name(), target.length(), source.name(), size));
    }
    claim(source);
    claim(target);
    HierarchicalBitmap dirty = new HierarchicalBitmap(size, options.granularity());
    state = new MirrorState(dirty, options.copyMode(), this::kick);
    insertFilter(graph.newName(options.filterNodeName()));
    try {
      claim(filter);
      from = hold(source, EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
      // The filter holds the permission to write.
      to = hold(target, Permission.none(), Permission.all());
      takeBitmap();
    } catch (BlockException e) {
      takeAway();
      throw e;
    }
    for (BlockEdge link : filter.links()) {
      freeze(link);
    }
    switch (options.sync()) {
      case FULL -> dirty.set(0, size);
      case NONE -> {}
      case INCREMENTAL, BITMAP -> dirty.merge(options.bitmap().orElseThrow().bitmap().bits());
    }
  }

  private void insertFilter(String name) throws BlockException {
    AioContext before = target.context();
    bring(target, source.context());
    MirrorFilter inserted = new MirrorFilter(name, source, state);
    try {
      inserted.insert(target);
    } catch (BlockException e) {
      bring(target, before);
      throw e;
    }
    filter = graph.add(inserted);
  }

  private void takeBitmap() throws BlockException {
    if (options.sync() == SyncMode.INCREMENTAL) {
      SyncBitmap given = options.bitmap().orElseThrow();
      given.bitmaps().freeze(given.bitmap());
      holdsBitmap = true;
    }
  }

  @Override
  protected void run() throws BlockException {
    int operations = Math.clamp(options.bufSize() / piece, 1, MOST_OPERATIONS);
    try (Arena arena = Arena.ofShared()) {
      copier = new Copier(from, to, state.overlaps, operations, piece, arena);
      try {
        mirror();
      } finally {
        copier.awaitAll();
        noteUncopied();
        copier = null;
      }
    }
  }

  private void mirror() throws BlockException {
    while (true) {
      collect();
      long dirty = state.dirty.dirtyBytes();
      remaining(dirty + copier.bytesUnderWay());
      if (isReady && dirty <= LITTLE && (shouldComplete || isCancelRequested())) {
        return;
      }
      if (dirty == 0 && copier.isIdle()) {
        if (!isReady) {
          isReady = true;
          ready();
        }
        sleep(SLICE_NS);
      } else {
        startSome();
        copier.awaitOne();
      }
    }
  }

  private void startSome() throws BlockException {
    while (copier.hasRoom()) {
      DirtyArea area = state.dirty.nextDirtyArea(cursor, size, piece);
      if (area == null) {
        boolean fromStart = cursor == 0;
        cursor = 0;
        if (fromStart) {
          return;
        }
        continue;
      }
      if (copier.isCopying(area)) {
        return;
      }
      CopyOp operation = copier.take();
      // Before it is read: a write that comes now is noted, or is noticed as having met this one.
      operation.span.begin(area.offset(), area.bytes());
      state.dirty.reset(area.offset(), area.bytes());
      copier.start(operation, area);
      cursor = area.end();
      limit(area.bytes());
    }
  }

  /** Deals with what has ended. */
  private void collect() throws BlockException {
    int errno = state.takeTargetError();
    if (errno != 0) {
      failed(true, errno);
    }
    CopyOp operation;
    while ((operation = copier.pollEnded()) != null) {
      int result = operation.result();
      boolean wrote = operation.wrote();
      long bytes = operation.area().bytes();
      release(operation);
      if (result < 0) {
        failed(wrote, -result);
      } else {
        progress(bytes);
      }
    }
  }

  /** Ends an operation; what it did not copy is dirty again. */
  private void release(CopyOp operation) {
    if (operation.result() < 0) {
      state.mark(operation.area().offset(), operation.area().bytes());
    }
    operation.span.end();
    copier.giveBack(operation);
  }

  private void noteUncopied() {
    CopyOp operation;
    while ((operation = copier.pollEnded()) != null) {
      release(operation);
    }
  }

  private void failed(boolean write, int errno) throws BlockException {
    ErrorAction action = write ? targetError(true, errno) : sourceError(false, errno);
    switch (action) {
      case REPORT -> throw failure(write, errno);
      // It is tried again, but not at once.
      case IGNORE -> sleep(SLICE_NS);
      case STOP -> pausePoint();
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
    if (copier != null) {
      copier.awaitAll();
    }
  }

  @Override
  protected void complete() {
    shouldComplete = true;
  }

  @Override
  protected boolean cancel(boolean force) {
    return force || !isReady;
  }

  @Override
  protected void change(CopyMode mode) throws BlockException {
    if (state.copyMode() == CopyMode.WRITE_BLOCKING && mode == CopyMode.BACKGROUND) {
      throw new BlockException("Change to copy mode '" + mode + "' is not implemented");
    }
    state.setCopyMode(mode);
  }

  /** Others stand still from here on, so that the copy is one of a moment. */
  @Override
  protected void prepare() throws BlockException {
    isolated = from.backend().isolate();
    // What they had sent is done after this, and no more comes.
    DrainedSection.begin(source).close();
    copyRest();
    int result = to.flush();
    if (result < 0) {
      throw failure(true, -result);
    }
    replacement = replaceFilter(shouldComplete ? target : source);
  }

  private void copyRest() throws BlockException {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment buffer = arena.allocate(piece, 4096);
      for (DirtyArea area : state.dirty.dirtyAreas(piece)) {
        MemorySegment data = buffer.asSlice(0, area.bytes());
        check(false, from.read(area.offset(), data));
        check(true, to.write(area.offset(), data));
        progress(area.bytes());
      }
    }
    state.dirty.clear();
    remaining(0);
  }

  private void check(boolean write, int result) throws BlockException {
    if (result < 0) {
      throw failure(write, -result);
    }
  }

  /** Prepares that whoever uses the filter uses {@code successor}. */
  private Transaction replaceFilter(BlockNode successor) throws BlockException {
    state.setStopped(true);
    GraphChange change = new GraphChange();
    change.replace(filter, successor);
    return change.begin();
  }

  @Override
  protected void commit() {
    replacement.commit();
    if (holdsBitmap) {
      SyncBitmap given = options.bitmap().orElseThrow();
      given.bitmaps().abdicate(given.bitmap());
    }
  }

  @Override
  protected void abort() {
    if (replacement != null) {
      replacement.abort();
    }
    try {
      replaceFilter(source).commit();
    } catch (BlockException e) {
      throw new IllegalStateException("the source of a mirror cannot be used as before", e);
    }
    if (holdsBitmap) {
      SyncBitmap given = options.bitmap().orElseThrow();
      given.bitmaps().reclaim(given.bitmap());
    }
  }

  @Override
  protected void clean() {
    releaseNodes();
    try {
      graph.close(filter);
    } catch (BlockException e) {
      throw new IllegalStateException("somebody uses the filter of a mirror that is over", e);
    }
    if (isolated != null) {
      isolated.close();
    }
  }

  /** Undoes what was done when the rest could not be. */
  private void takeAway() {
    abort();
    clean();
  }
}
