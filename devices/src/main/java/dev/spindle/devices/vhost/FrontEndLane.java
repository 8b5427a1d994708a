// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.Errno;

/** The way from one context to the back end. */
final class FrontEndLane extends BlockLane {
  private final FrontEndQueues queues;
  private final FrontEndSeat seat;
  private final long length;
  private final long mask;

  private final BounceBuffers buffers = new BounceBuffers();

  /** Null before the first request, and while all queues are elsewhere. */
  private FrontEndQueue queue;

  /** The seat's when the queue came from there. */
  private int generation;

  FrontEndLane(FrontEndNode node, AioContext context) {
    this.queues = node.queues();
    this.length = node.length();
    this.mask = node.limits().requestAlignment() - 1L;
    this.seat = queues.opened(context);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, length)) {
      request.complete(-Errno.EIO);
    } else if (((offset | request.length) & mask) != 0
        && request.operation != BlockRequest.Operation.FLUSH) {
      startUnaligned(request, offset);
    } else {
      start(request, offset);
    }
  }

  private void startUnaligned(BlockRequest request, long offset) {
    FrontEndUnaligned unaligned = new FrontEndUnaligned(this, queues.writes(), request, mask);
    request.completeWith(seat.context(), "unaligned", () -> unaligned.run(offset));
  }

  /** Memory for what needs a detour. */
  BounceBuffers buffers() {
    return buffers;
  }

  /** Carries out what needs none. */
  void start(BlockRequest request, long offset) {
    if (queue != null && generation == seat.generation()) {
      queue.start(request, offset, null);
    } else {
      startAnywhere(request, offset);
    }
  }

  private void startAnywhere(BlockRequest request, long offset) {
    queue = queues.assign(seat);
    generation = seat.generation();
    if (queue == null) {
      queues.askForHelp(seat, request, offset);
    } else {
      queue.start(request, offset, null);
    }
  }

  @Override
  public void close() {
    queues.closed(seat);
  }
}
