// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.linux.Errno;

/** The way from one context to the back end. */
final class FrontEndLane extends BlockLane {
  private final FrontEndQueues queues;
  private final FrontEndSeat seat;
  private final long length;

  FrontEndLane(FrontEndNode node, AioContext context) {
    this.queues = node.queues();
    this.length = node.length();
    this.seat = queues.opened(context);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, length)) {
      request.complete(-Errno.EIO);
    } else if (seat.queue != null) {
      seat.queue.start(request, offset, null);
    } else {
      queues.send(seat, request, offset);
    }
  }

  @Override
  public void close() {
    queues.closed(seat);
  }
}
