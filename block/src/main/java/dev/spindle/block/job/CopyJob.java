// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.Permission;
import dev.spindle.linux.Errno;
import java.util.EnumSet;

/**
 * A job that copies one node to another through a filter before the source, which also holds the
 * permission to write to the target.
 */
public abstract class CopyJob extends JobDriver {
  /** How long it looks at nothing when there is nothing to do, or after an error. */
  protected static final long SLICE_NS = 100_000_000;

  protected final BlockGraph graph;
  protected final BlockNode source;
  protected final BlockNode target;

  /** The job's hold on the source, once it is open. */
  protected JobBackend from;

  /** The job's hold on the target, once it is open. */
  protected JobBackend to;

  /** Where the target was before the job. */
  private AioContext targetBefore;

  /** Whether what was written to the target may be lost. The work's, then the control side's. */
  private boolean unreliable;

  /** What is to be copied where to. */
  protected CopyJob(BlockGraph graph, BlockNode source, BlockNode target) {
    this.graph = graph;
    this.source = source;
    this.target = target;
  }

  /** Makes sure that no other job works on the two nodes. Control side. */
  protected final void claimBoth() throws BlockException {
    claim(source);
    claim(target);
    targetBefore = target.context();
  }

  /** Has the target be where the source is. Control side; waits. */
  protected final void bringTarget() throws BlockException {
    bring(target, source.context());
  }

  /** Ends {@link #bringTarget}, when the job cannot be. Control side; waits. */
  protected final void takeTargetBack() throws BlockException {
    bring(target, targetBefore);
  }

  /** Takes hold of the two nodes, and makes sure that no other job works on the filter. */
  protected final void holdBoth(BlockNode filter) throws BlockException {
    claim(filter);
    from = hold(source, EnumSet.of(Permission.CONSISTENT_READ), Permission.all());
    to = hold(target, Permission.none(), Permission.all());
  }

  /**
   * Has the target be at least as long as the source; what is added reads as zeroes. Control side;
   * waits.
   *
   * @throws BlockException if it cannot be
   */
  protected final void growTarget() throws BlockException {
    long length = source.length();
    if (target.length() >= length) {
      return;
    }
    graph.resize(target, length, describe());
  }

  /** What is told of each part of the source, in order. */
  @FunctionalInterface
  protected interface Part {
    /**
     * Takes notice of a part.
     *
     * @param held whether the source holds it itself, or else its backing files do
     */
    void found(long offset, long length, boolean held);
  }

  /** Looks at what the source holds itself. Job's thread; a pause point. */
  protected final void findHeld(Part each) throws BlockException {
    long size = source.length();
    for (long offset = 0; offset < size; ) {
      long run = from.allocated(offset, size - offset);
      each.found(offset, Math.abs(run), run > 0);
      offset += Math.abs(run);
      sleep(0);
    }
  }

  /** Whether there is anything that the source does not hold itself. Control side. */
  protected final boolean hasBacking() {
    return BackingChain.of(source).links().stream()
        .anyMatch(link -> link.roles().contains(ChildRole.COW));
  }

  /**
   * An operation failed: does what the job's policy says. If it returns, the operation is to be
   * tried again. Job's thread.
   *
   * @param write whether to the target, else from the source
   * @param errno positive
   * @throws BlockException why the job fails
   */
  protected final void failed(boolean write, int errno) throws BlockException {
    switch (write ? targetError(true, errno) : sourceError(false, errno)) {
      case REPORT -> throw failure(write, errno);
      // Not at once.
      case IGNORE -> sleep(SLICE_NS);
      case STOP -> pausePoint();
    }
  }

  /**
   * Makes durable what was copied, and waits. Job's thread, or control work.
   *
   * @throws BlockException if the target cannot: nothing of it can be relied on
   */
  protected final void flushTarget() throws BlockException {
    int result = to.flush();
    unreliable |= result < 0;
    check(true, result);
  }

  /**
   * Ends the hold on the bitmap of a job that failed: as {@link HeldBitmap#failed}, unless what was
   * copied may be lost; so that is made durable first, if the bitmap is to tell of it. Control
   * side; waits. While nobody writes to the source, if writes go to the target as well.
   *
   * @param bitmap null if the job goes by none
   * @param uncopied what was not copied
   */
  protected final void fail(HeldBitmap bitmap, HierarchicalBitmap uncopied) {
    if (bitmap == null) {
      return;
    }
    unreliable |= bitmap.tellsOfPart() && to.flush() < 0;
    if (unreliable) {
      bitmap.giveBack();
    } else {
      bitmap.failed(uncopied);
    }
  }

  /**
   * Undoes what was done when the rest could not be. Control side.
   *
   * @param bitmap null if the job goes by none
   */
  protected final void takeAway(HeldBitmap bitmap) throws BlockException {
    if (bitmap != null) {
      bitmap.giveBack();
    }
    try {
      abort();
    } finally {
      clean();
    }
    takeTargetBack();
  }

  /** Says what failed. */
  protected final BlockException failure(boolean write, int errno) {
    return new BlockException(
        "%s node '%s' failed: %s"
            .formatted(
                write ? "Writing to" : "Reading from",
                write ? target.name() : source.name(),
                Errno.message(errno)));
  }

  /** Throws {@link #failure} if {@code result} is a negated errno. */
  protected final void check(boolean write, int result) throws BlockException {
    if (result < 0) {
      throw failure(write, -result);
    }
  }

  /**
   * Closes the filter once nobody uses it any more. Control side; waits.
   *
   * @param filter null if it never stood
   */
  protected final void closeFilter(BlockNode filter) {
    try {
      if (filter != null) {
        graph.close(filter);
      }
    } catch (BlockException e) {
      throw new IllegalStateException(
          "somebody uses the filter of a %s that is over".formatted(type()), e);
    }
  }
}
