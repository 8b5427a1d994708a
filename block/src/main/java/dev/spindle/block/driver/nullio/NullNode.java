// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;

/** A disk without storage. */
final class NullNode extends BlockNode {
  private final NullOptions options;

  NullNode(String name, String driver, AioContext context, NullOptions options) {
    super(name, driver, context);
    this.options = options;
  }

  @Override
  public long length() {
    return options.size();
  }

  @Override
  public boolean readOnly() {
    return options.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  @Override
  public BlockLane openLane(AioContext context) {
    return new BlockLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        if (options.readZeroes() && request.operation == BlockRequest.Operation.READ) {
          request.buffers.fill(0, request.length, (byte) 0);
        }
        if (options.latencyNs() > 0) {
          context.startTimer(options.latencyNs(), () -> request.complete(0));
        } else if (options.completesLater()) {
          context.execute(() -> request.complete(0));
        } else {
          request.complete(0);
        }
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void close() {}
}
