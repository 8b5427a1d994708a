// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;

/**
 * A tool's request: sent and waited for, or sent with others. Straight-line code of the lane's
 * context only.
 */
public final class ToolRequest extends BlockRequest {
  private Thread waiter;
  private Runnable then;
  private boolean done;
  private int result;

  /**
   * Makes one.
   *
   * @param maxBuffers 1 to 1024
   */
  public ToolRequest(int maxBuffers) {
    super(maxBuffers);
  }

  /** Makes it a request on a range without data; its flags are off. */
  public ToolRequest set(Operation operation, long offset, long length) {
    this.operation = operation;
    this.offset = offset;
    this.length = length;
    forceUnitAccess = false;
    mayUnmap = false;
    mustBeFast = false;
    mayPack = false;
    buffers.clear();
    done = false;
    return this;
  }

  /** Adds native memory for data; {@link #set} has been called with the length of all. */
  public ToolRequest with(MemorySegment memory) {
    buffers.add(memory, 0, memory.byteSize());
    return this;
  }

  /** Has {@code action} run when it is done, on the lane's context. */
  public ToolRequest then(Runnable action) {
    then = action;
    return this;
  }

  /** Sends it. */
  public ToolRequest send(BackendLane lane) {
    lane.submit(this);
    return this;
  }

  /** Whether it is done. */
  public boolean isDone() {
    return done;
  }

  /** What it ended with, once it is done: 0 or a negated errno. */
  public int result() {
    return result;
  }

  /** Waits for it; returns 0 or a negated errno. */
  public int await() {
    waiter = Thread.currentThread();
    while (!done) {
      LockSupport.park(this);
    }
    waiter = null;
    return result;
  }

  @Override
  protected void completed(int status) {
    result = status;
    done = true;
    LockSupport.unpark(waiter);
    if (then != null) {
      then.run();
    }
  }
}
