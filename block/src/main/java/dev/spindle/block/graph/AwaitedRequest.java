// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.concurrent.CompletableFuture;

/** A request that straight-line code waits for. */
final class AwaitedRequest extends BlockRequest {
  private final CompletableFuture<Integer> result = new CompletableFuture<>();

  AwaitedRequest(Operation operation) {
    super(1);
    this.operation = operation;
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
