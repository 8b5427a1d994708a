// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;

/** A request that straight-line code waits for, on whatever context. */
final class AwaitedIo extends BlockRequest {
  private final Thread waiter = Thread.currentThread();

  /** Written by the request's context before {@link #done}; read by the waiter after it. */
  private int result;

  private volatile boolean done;

  AwaitedIo(Operation operation, long offset, MemorySegment buffer) {
    super(1);
    this.operation = operation;
    this.offset = offset;
    this.length = buffer.byteSize();
    if (length > 0) {
      buffers.add(buffer, 0, length);
    }
  }

  /** Sends it and waits; returns 0 or a negated errno. */
  int run(BackendLane lane) {
    if (lane.context().isOwner()) {
      lane.submit(this);
    } else {
      lane.context().execute(() -> lane.submit(this));
    }
    while (!done) {
      LockSupport.park(this);
    }
    return result;
  }

  @Override
  protected void completed(int status) {
    result = status;
    done = true;
    LockSupport.unpark(waiter);
  }
}
