// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.concurrent.locks.LockSupport;

/**
 * A request that a node sends to one of its children while it works on somebody else's: taken out
 * of {@link ChildRequests}, filled in, sent once, and closed, which puts it back. Either its owner
 * is called when it has ended, or straight-line code waits for it. Owner thread of one context.
 */
public final class ChildRequest extends BlockRequest implements AutoCloseable {
  /** Whoever is told of the end of a request. */
  @FunctionalInterface
  public interface Owner {
    /**
     * The request has ended; possibly from within its submission.
     *
     * @param request to be closed by the owner
     * @param result 0, or a negated errno
     */
    void ended(ChildRequest request, int result);
  }

  private final ChildRequests pool;
  private final int sizeClass;
  private Owner owner;
  private Thread waiter;
  private boolean ended;
  private int result;

  /** Which of its owner's requests it is, as the owner likes. */
  public int index;

  ChildRequest(ChildRequests pool, int sizeClass) {
    super(1 << sizeClass);
    this.pool = pool;
    this.sizeClass = sizeClass;
  }

  int sizeClass() {
    return sizeClass;
  }

  /** Does to the child what {@code request} says, but elsewhere and with no data yet. */
  public void copy(BlockRequest request, long newOffset) {
    operation = request.operation;
    offset = newOffset;
    length = request.length;
    forceUnitAccess = request.forceUnitAccess;
    mayUnmap = request.mayUnmap;
    mustBeFast = request.mustBeFast;
  }

  /**
   * Sends it to a child, and has {@code whom} told when it has ended. It fails if the child throws
   * something: others that belong to it may be on their way, and want to be waited for.
   */
  public void send(BlockLane child, Owner whom) {
    owner = whom;
    child.sendOn(this, offset);
  }

  /** As the other one, after the events that come before it. */
  void send(DebugEvents child, BlkdebugEvent[] before, Owner whom) {
    owner = whom;
    int ends = ends();
    try {
      child.submit(this, offset, before);
    } catch (RuntimeException | Error e) {
      BlockLane.notSubmitted(this, ends, e);
    }
  }

  /** Sends it to a child, for {@link #await}; fails as the others do. */
  public void send(BlockLane child) {
    waiter = Thread.currentThread();
    child.sendOn(this, offset);
  }

  /**
   * Waits for the end. On the virtual thread that has sent it.
   *
   * @return 0, or a negated errno
   */
  public int await() {
    while (!ended) {
      LockSupport.park(this);
    }
    return result;
  }

  /** {@link #send(BlockLane) Sends} it and {@link #await waits}. */
  public int run(BlockLane child) {
    send(child);
    return await();
  }

  @Override
  protected void completed(int status) {
    if (owner != null) {
      owner.ended(this, status);
      return;
    }
    result = status;
    ended = true;
    LockSupport.unpark(waiter);
  }

  /** Puts it back; it is not on its way. */
  @Override
  public void close() {
    owner = null;
    waiter = null;
    ended = false;
    buffers.clear();
    pool.putBack(this);
  }
}
