// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.graph.BlockRequest;
import java.util.concurrent.CompletableFuture;

/**
 * A part of a request that is no multiple of blocks: whole blocks, for straight-line code that has
 * their lock to wait for.
 */
final class FrontEndPart extends BlockRequest {
  private final CompletableFuture<Integer> result = new CompletableFuture<>();

  FrontEndPart(Operation operation, long length) {
    super(1);
    this.operation = operation;
    this.length = length;
  }

  /** Waits for it; returns 0 or a negated errno. */
  int await() {
    return result.join();
  }

  @Override
  protected void completed(int status) {
    result.complete(status);
  }
}
