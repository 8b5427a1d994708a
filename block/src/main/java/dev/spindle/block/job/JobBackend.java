// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import java.lang.foreign.MemorySegment;

/** A job's hold on one of its nodes, and the I/O that its straight-line code does there. */
public final class JobBackend implements BackingLayer {
  private final BlockBackend backend;

  /** In the job's context. Changed by control work, while the job stands still. */
  private volatile BackendLane lane;

  JobBackend(BlockBackend backend, AioContext context) {
    this.backend = backend;
    this.lane = openLane(context);
  }

  BackendLane openLane(AioContext context) {
    return context.call(() -> backend.openLane(context));
  }

  /** Has requests go through another lane from now on; returns the former one. */
  BackendLane lead(BackendLane next) {
    BackendLane former = lane;
    lane = next;
    return former;
  }

  void close() {
    try {
      lane.closeInContext();
    } finally {
      backend.close();
    }
  }

  /** The node that it leads to. Control side. */
  public BlockNode node() {
    return backend.node();
  }

  /** The backend, for what concerns the graph. Control side. */
  public BlockBackend backend() {
    return backend;
  }

  /**
   * The way for requests in the job's context. Changes when the job moves: to be asked for again
   * after each pause point.
   */
  public BackendLane lane() {
    return lane;
  }

  /**
   * Reads {@code buffer}'s length and waits. Job's thread, or control work.
   *
   * @param buffer native memory
   * @return 0 or a negated errno
   */
  public int read(long offset, MemorySegment buffer) {
    return new AwaitedIo(Operation.READ, offset, buffer).run(lane);
  }

  /** Writes {@code buffer} and waits; as {@link #read}. */
  public int write(long offset, MemorySegment buffer) {
    return new AwaitedIo(Operation.WRITE, offset, buffer).run(lane);
  }

  /** Of the node, in bytes. Any thread. */
  @Override
  public long length() {
    return backend.node().length();
  }

  /**
   * Whether the node holds a range itself: see {@link dev.spindle.block.graph.BlockLane#allocated}.
   * Job's thread; may wait.
   */
  @Override
  public long allocated(long offset, long length) {
    return lane.allocated(offset, length);
  }

  /** Makes what was written durable and waits; as {@link #read}. */
  public int flush() {
    return new AwaitedIo(Operation.FLUSH, 0, MemorySegment.NULL).run(lane);
  }
}
