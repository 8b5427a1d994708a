// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nullio;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.linux.Errno;

/** A disk without storage. */
final class NullNode extends BlockNode {
  /** Changed by reopening, in a drained section; lanes keep what they were opened with. */
  private volatile NullOptions options;

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
  protected Transaction.Action prepareReopen(BlockGraph graph, Options wanted, GraphChange links)
      throws OptionException {
    NullOptions before = options;
    options = NullOptions.from(wanted, before.completesLater());
    return new Transaction.Action() {
      @Override
      public void abort() {
        options = before;
      }
    };
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    NullOptions now = options;
    return new BlockLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        if (leaves(request, offset, now.size())) {
          request.complete(-Errno.EIO);
          return;
        }
        if (now.readZeroes() && request.operation == BlockRequest.Operation.READ) {
          request.buffers.fill(0, request.length, (byte) 0);
        }
        if (now.latencyNs() > 0) {
          context.startTimer(now.latencyNs(), () -> request.complete(0));
        } else if (now.completesLater()) {
          context.execute(() -> request.complete(0));
        } else {
          request.complete(0);
        }
      }

      @Override
      public BlockStatus blockStatus(long offset, long length) {
        return now.readZeroes() ? BlockStatus.inNoLayer(length) : BlockStatus.allData(length);
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void close() {}
}
