// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.linux.Errno;

/** One context's way to a plugin, and through a filter to what is below. */
final class PluginLane extends BlockLane {
  private final PluginNode node;
  private final AioContext context;
  private final String threadName;
  private final long length;

  /** Null for a plain driver. */
  private final BlockLane below;

  private final long lengthBelow;
  private final ChildRequests children = new ChildRequests();

  /** To a plain driver. */
  PluginLane(PluginNode node, AioContext context) {
    this.node = node;
    this.context = context;
    this.threadName = "plugin-" + node.name();
    this.length = node.length();
    this.below = null;
    this.lengthBelow = 0;
  }

  /** Through a filter. */
  PluginLane(PluginNode node, AioContext context, BlockLane below, long lengthBelow) {
    super(below);
    this.node = node;
    this.context = context;
    this.threadName = "plugin-" + node.name();
    this.length = node.length();
    this.below = below;
    this.lengthBelow = lengthBelow;
  }

  AioContext context() {
    return context;
  }

  BlockLane below() {
    return below;
  }

  long lengthBelow() {
    return lengthBelow;
  }

  TransferBuffers buffers() {
    return node.buffers();
  }

  /** A request to what is below. On the context. */
  ChildRequest takeChild() {
    return children.take(1);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, length)) {
      request.complete(-Errno.EIO);
    } else if (request.operation == Operation.WRITE_ZEROES && request.mustBeFast) {
      // Nothing tells whether the plugin writes them as data.
      request.complete(-Errno.EOPNOTSUPP);
    } else if (node.ownThreads() == null) {
      request.completeWith(context, threadName, () -> run(request, offset));
    } else {
      node.ownThreads()
          .execute(
              () -> {
                int result = run(request, offset);
                context.execute(() -> request.complete(result));
              });
    }
  }

  /** Carries a request out. Returns 0 or a negated errno, whatever the plugin throws. */
  private int run(BlockRequest request, long offset) {
    try {
      carryOut(request, offset);
      node.failures().none();
      return 0;
    } catch (Throwable e) {
      return -node.failures().errno(request.operation, e);
    }
  }

  private void carryOut(BlockRequest request, long offset) throws Exception {
    NextLane next = below == null ? null : new NextLane(this);
    try {
      PluginRequest way = new PluginRequest(node, next, request, offset);
      if (node.turn() == null) {
        way.run();
        return;
      }
      node.turn().lock();
      try {
        way.run();
      } finally {
        node.turn().unlock();
      }
    } finally {
      if (next != null) {
        next.end();
      }
    }
  }

  @Override
  public long allocated(long offset, long bytes) {
    return below != null && node.plugin().transparent()
        ? below.allocated(offset, bytes)
        : super.allocated(offset, bytes);
  }

  @Override
  public BlockStatus blockStatus(long offset, long bytes) {
    return below != null && node.plugin().transparent()
        ? below.blockStatus(offset, bytes)
        : super.blockStatus(offset, bytes);
  }

  @Override
  public void close() {
    if (below != null) {
      below.close();
    }
  }
}
