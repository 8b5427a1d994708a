// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.throttle;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.throttle.ThrottleMember;
import dev.spindle.block.throttle.ThrottleQueue;

/** One context's way through the filter. */
final class ThrottleNodeLane extends BlockLane {
  private final BlockLane below;
  private final ThrottleQueue queue;

  ThrottleNodeLane(AioContext context, ThrottleMember member, BlockLane below) {
    super(below);
    this.below = below;
    this.queue = new ThrottleQueue(context, member, below::submit);
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
  public long allocated(long offset, long length) {
    return below.allocated(offset, length);
  }

  @Override
  public BlockStatus blockStatus(long offset, long length) {
    return below.blockStatus(offset, length);
  }

  @Override
  public void close() {
    queue.close();
    below.close();
  }
}
