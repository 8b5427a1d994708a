// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.plugin.Extent;
import dev.spindle.linux.Errno;
import java.util.concurrent.CompletableFuture;

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
    inTurn(
        next -> {
          new PluginRequest(node, next, request, offset).run();
          return null;
        });
  }

  /** Something that the plugin does when it is its turn. */
  @FunctionalInterface
  private interface Work<T> {
    T run(NextLane next) throws Exception;
  }

  private <T> T inTurn(Work<T> work) throws Exception {
    NextLane next = below == null ? null : new NextLane(this);
    try {
      if (node.turn() == null) {
        return work.run(next);
      }
      node.turn().lock();
      try {
        return work.run(next);
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
    if (below != null && node.plugin().transparent()) {
      return below.blockStatus(offset, bytes);
    }
    if (!node.plugin().capabilities().extents()) {
      return super.blockStatus(offset, bytes);
    }
    if (node.ownThreads() == null) {
      return askExtent(offset, bytes);
    }
    CompletableFuture<BlockStatus> answer = new CompletableFuture<>();
    node.ownThreads().execute(() -> answer.complete(askExtent(offset, bytes)));
    return answer.join();
  }

  /** Asks for whole blocks. What the plugin does not know, or throws, is data. */
  private BlockStatus askExtent(long offset, long bytes) {
    long block = node.plugin().blockSize();
    long from = offset & -block;
    long to = Math.min(length, (offset + bytes + block - 1) & -block);
    try {
      Extent found = inTurn(next -> node.plugin().requests().extent(next, from, to - from));
      long known = Math.min(found.length() - (offset - from), bytes);
      return known > 0
          ? new BlockStatus(known, found.stored(), found.zero(), 1)
          : super.blockStatus(offset, Math.min(bytes, from + block - offset));
    } catch (Throwable e) {
      node.failures().extent(e);
      return super.blockStatus(offset, bytes);
    }
  }

  @Override
  public void close() {
    if (below != null) {
      below.close();
    }
  }
}
