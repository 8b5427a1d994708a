// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.FilterLane;
import java.util.ArrayDeque;

/** The filter as one context sees it. */
final class MirrorLane extends FilterLane {
  final MirrorState state;
  final BlockLane source;
  final BlockLane target;
  final ChildRequests children = new ChildRequests();
  final BounceBuffers buffers = new BounceBuffers();

  /** Writes not in use. */
  private final ArrayDeque<MirrorWrite> free = new ArrayDeque<>();

  MirrorLane(MirrorState state, BlockLane source, BlockLane target) {
    super(source, target);
    this.state = state;
    this.source = source;
    this.target = target;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    switch (request.operation) {
      case READ, FLUSH -> source.submit(request, offset);
      case WRITE, WRITE_ZEROES, DISCARD -> {
        if (request.length == 0 || state.isStopped()) {
          source.submit(request, offset);
        } else {
          MirrorWrite unused = free.poll();
          (unused == null ? new MirrorWrite(this) : unused).start(request, offset);
        }
      }
    }
  }

  void putBack(MirrorWrite write) {
    free.push(write);
  }
}
