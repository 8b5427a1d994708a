// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Parts of a backend's user (queues, connections) that come to rest at the same time, each on its
 * own context, and are waited for together: {@link BackendUser#drainedBegin}. Control side.
 */
public final class StoppingParts {
  private final List<CompletableFuture<Void>> still = new ArrayList<>();

  /**
   * Has a part stop; does not wait.
   *
   * @param context where it belongs
   * @param stop runs there, and then what it is given once the part stands still
   */
  public void stop(AioContext context, Consumer<Runnable> stop) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    still.add(done);
    context.execute(() -> stop.accept(() -> done.complete(null)));
  }

  /** Waits until all of them stand still. */
  public void await() {
    still.forEach(CompletableFuture::join);
  }
}
