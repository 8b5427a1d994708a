// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.concurrent.CompletableFuture;

/** A request that straight-line code waits for. */
final class AwaitedRequest extends BlockRequest {
  private final CompletableFuture<Integer> result = new CompletableFuture<>();

  AwaitedRequest(Operation operation) {
    super(1);
    this.operation = operation;
  }

  /**
   * Flushes a node that stands still, past its users. Control side; waits.
   *
   * @return 0 or a negated errno
   */
  static int flush(BlockNode node, AioContext mainContext) {
    AwaitedRequest request = new AwaitedRequest(Operation.FLUSH);
    BlockLane lane = mainContext.call(() -> node.openLane(mainContext));
    mainContext.execute(() -> lane.sendOn(request, 0));
    int status = request.await();
    mainContext.call(
        () -> {
          lane.close();
          return null;
        });
    return status;
  }

  /** Waits for it; any thread that may wait. Returns 0 or a negated errno. */
  int await() {
    return result.join();
  }

  @Override
  protected void completed(int status) {
    result.complete(status);
  }
}
