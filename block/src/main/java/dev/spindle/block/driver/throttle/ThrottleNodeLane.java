// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.throttle;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.FilterLane;
import dev.spindle.block.throttle.ThrottleMember;
import dev.spindle.block.throttle.ThrottleQueue;

/** One context's way through the filter. */
final class ThrottleNodeLane extends FilterLane {
  private final ThrottleQueue queue;

  ThrottleNodeLane(AioContext context, ThrottleMember member, BlockLane below) {
    super(below);
    this.queue = new ThrottleQueue(context, member, below::sendOn);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (queue.passes(request, offset)) {
      below.submit(request, offset);
    }
  }

  @Override
  protected void hurried(boolean on) {
    if (on) {
      queue.hurryBegin();
    } else {
      queue.hurryEnd();
    }
  }

  @Override
  public void close() {
    queue.close();
    super.close();
  }
}
