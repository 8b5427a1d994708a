// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.blkdebug.DebugRule.InjectError;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.DebugEvents;
import dev.spindle.block.graph.FilterLane;
import java.util.concurrent.locks.LockSupport;

/**
 * One context's way through the filter. While there are neither rules nor limits, requests pass as
 * if it were not there.
 */
final class BlkdebugLane extends FilterLane implements DebugEvents {
  private final BlkdebugNode node;
  private final AioContext context;
  private final DebugRules rules;
  private final boolean cuts;
  private final ChildRequests children = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  BlkdebugLane(BlkdebugNode node, AioContext context, BlockLane below) {
    super(below);
    this.node = node;
    this.context = context;
    this.rules = node.rules();
    this.cuts = !node.cuts().equals(DebugLimits.NONE);
  }

  BlkdebugNode node() {
    return node;
  }

  BlockLane below() {
    return below;
  }

  ChildRequests children() {
    return children;
  }

  BounceBuffers buffers() {
    return buffers;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (cuts && request.operation != Operation.FLUSH) {
      startCut(request, offset);
    } else if (rules.isQuiet()) {
      below.submit(request, offset);
    } else if (isWrite(request) && rules.awaits(BlkdebugEvent.PWRITEV_DONE)) {
      startCut(request, offset);
    } else {
      submitWhole(request, offset);
    }
  }

  private static boolean isWrite(BlockRequest request) {
    return request.operation == Operation.WRITE || request.operation == Operation.WRITE_ZEROES;
  }

  private void startCut(BlockRequest request, long offset) {
    request.completeWith(
        context, "blkdebug-" + node.name(), () -> new CutRequest(this, request, offset).run());
  }

  private void submitWhole(BlockRequest request, long offset) {
    boolean suspended =
        switch (request.operation) {
          case WRITE -> suspends(BlkdebugEvent.PWRITEV, request, offset);
          case WRITE_ZEROES -> suspends(BlkdebugEvent.PWRITEV_ZERO, request, offset);
          case READ, DISCARD, FLUSH -> false;
        };
    if (!suspended) {
      pass(request, offset);
    }
  }

  private boolean suspends(BlkdebugEvent event, BlockRequest request, long offset) {
    return rules.fire(event, () -> context.execute(() -> pass(request, offset)));
  }

  private void pass(BlockRequest request, long offset) {
    InjectError error = rules.check(IoType.of(request.operation), offset, request.length);
    if (error == null) {
      below.sendOn(request, offset);
    } else if (error.immediately()) {
      request.complete(-error.errno());
    } else {
      context.execute(() -> request.complete(-error.errno()));
    }
  }

  @Override
  public void fire(BlkdebugEvent event) {
    Parking parking = new Parking();
    if (rules.fire(event, parking::end)) {
      parking.await();
    }
  }

  @Override
  public void submit(BlockRequest request, long offset, BlkdebugEvent... before) {
    submitAfter(request, offset, before, 0);
  }

  private void submitAfter(BlockRequest request, long offset, BlkdebugEvent[] before, int first) {
    for (int i = first; i < before.length && !rules.isQuiet(); i++) {
      int next = i + 1;
      Runnable goOn = () -> context.execute(() -> submitAfter(request, offset, before, next));
      if (rules.fire(before[i], goOn)) {
        return;
      }
    }
    sendOn(request, offset);
  }

  /** A virtual thread that waits to be resumed. */
  private static final class Parking {
    private final Thread thread = Thread.currentThread();

    /** Set once, by whoever resumes; read by the thread that waits. */
    private volatile boolean ended;

    void end() {
      ended = true;
      LockSupport.unpark(thread);
    }

    void await() {
      while (!ended) {
        LockSupport.park(this);
      }
    }
  }
}
