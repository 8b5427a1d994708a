// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.bitmap.DirtyArea;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.IsolatedSection;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.job.CopyJob;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.HeldBitmap;
import dev.spindle.block.job.SyncMode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Copies a node and keeps the copy up to date (QAPI's blockdev-mirror). Once it is ready,
 * completing it puts the copy in the node's place, under everybody who uses the node; cancelling it
 * without force leaves the copy as it is at that moment.
 */
public class MirrorJob extends CopyJob {
  private static final int MOST_OPERATIONS = 16;
  private static final long PIECE = 1 << 20;

  /** With so little left, what is left is copied while nobody writes. */
  private static final long LITTLE = 1 << 20;

  private final MirrorOptions options;
  private final long size;

  /** Bytes of a piece, at most. */
  private final long piece;

  private MirrorState state;
  private MirrorFilter filter;
  private HeldBitmap bitmap;

  /** Whether only what the source holds itself is to be copied at first. */
  private boolean topOnly;

  // The job's thread.
  private Copier copier;
  private long cursor;

  /** Set by the job's thread, once. */
  private volatile boolean isReady;

  /** Set by the user, once. */
  private volatile boolean shouldComplete;

  // Control side.
  private IsolatedSection isolated;
  private Transaction replacement;

  /**
   * What is to copy what. Control side; {@link dev.spindle.block.job.Jobs#create} does the rest.
   */
  public MirrorJob(BlockGraph graph, BlockNode source, BlockNode target, MirrorOptions options) {
    super(graph, source, target);
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
    checkTarget();
    claimBoth();
    topOnly = options.sync() == SyncMode.TOP && hasBacking();
    HierarchicalBitmap dirty = new HierarchicalBitmap(size, options.granularity());
    state = new MirrorState(dirty, options.copyMode(), this::kick);
    insertFilter(graph.newName(options.filterNodeName()));
    try {
      holdNodes();
      fill(dirty);
    } catch (BlockException | RuntimeException | Error e) {
      takeAway(bitmap);
      throw e;
    }
    for (BlockEdge link : filter.links()) {
      freeze(link);
    }
  }

  void checkTarget() throws BlockException {
    if (source == target) {
      throw new BlockException("Can't mirror node into itself");
    }
    if (target.length() != size) {
      throw new BlockException(
          "Node '%s' has %d bytes, and cannot be a mirror of node '%s', which has %d"
              .formatted(target.name(), target.length(), source.name(), size));
    }
  }

  /** The filter stands already: nobody else takes what the job needs. */
  void holdNodes() throws BlockException {
    holdBoth(filter);
  }

  /** Makes the filter, without links yet. */
  MirrorFilter makeFilter(String name) {
    return new MirrorFilter(name, source, state, false);
  }

  final MirrorFilter filter() {
    return filter;
  }

  final MirrorState state() {
    return state;
  }

  /** The filter stands already: what is not noted here, it notes. */
  private void fill(HierarchicalBitmap dirty) throws BlockException {
    switch (options.sync()) {
      case FULL -> dirty.set(0, size);
      case TOP -> dirty.set(0, topOnly ? 0 : size);
      case NONE -> {}
      case INCREMENTAL, BITMAP -> {
        bitmap = HeldBitmap.ongoing(options.bitmap().orElseThrow(), options.bitmapMode());
        dirty.merge(bitmap.bits());
      }
    }
  }

  private void insertFilter(String name) throws BlockException {
    bringTarget();
    MirrorFilter made = makeFilter(name);
    try {
      graph.add(made);
      made.insert(target);
    } catch (BlockException | RuntimeException | Error e) {
      closeFilter(made);
      takeTargetBack();
      throw e;
    }
    filter = made;
  }

  @Override
  protected void run() throws BlockException {
    findFirst();
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

  /** Finds what is to be copied at first, as far as that takes looking at the source's data. */
  void findFirst() throws BlockException {
    if (topOnly) {
      findHeld(
          (offset, length, held) -> {
            if (held) {
              state.mark(offset, length);
            }
          });
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
    flushTarget();
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

  /** Prepares that whoever uses the filter uses {@code successor}. */
  private Transaction replaceFilter(BlockNode successor) throws BlockException {
    // What comes to the filter until all stand still, it notes yet.
    DrainedSection still = DrainedSection.begin(filter);
    try (still) {
      state.setStopped(true);
      GraphChange change = new GraphChange();
      change.replace(filter, successor);
      return change.begin();
    }
  }

  @Override
  protected void commit() {
    try {
      replacement.commit();
    } finally {
      if (bitmap != null) {
        bitmap.succeeded();
      }
    }
  }

  @Override
  protected void abort() {
    try {
      if (replacement != null) {
        replacement.abort();
      }
    } finally {
      goBack();
    }
  }

  private void goBack() {
    try {
      Transaction back = replaceFilter(source);
      fail(bitmap, state.dirty);
      back.commit();
    } catch (BlockException e) {
      throw new IllegalStateException("the source of a mirror cannot be used as before", e);
    } finally {
      fail(bitmap, state.dirty);
    }
  }

  @Override
  protected void clean() {
    try {
      releaseNodes();
    } finally {
      try {
        closeFilter(filter);
      } finally {
        if (isolated != null) {
          isolated.close();
        }
      }
    }
  }
}
