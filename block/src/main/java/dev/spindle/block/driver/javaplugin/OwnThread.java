// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.aio.ContextCall;
import dev.spindle.block.aio.Outcome;
import java.util.concurrent.CompletableFuture;

/**
 * Control work that may hold its thread for long, compiling for one, or is not ours: done on a
 * platform thread of its own, so that the main loop goes on.
 */
final class OwnThread {
  private OwnThread() {}

  /** Runs {@code body} and waits for what it returns. Any thread that may wait. */
  static <T, E extends Exception> T call(String threadName, ContextCall<T, E> body) throws E {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name(threadName)
        .start(
            () -> {
              try {
                result.complete(body.call());
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    return Outcome.of(result);
  }
}
