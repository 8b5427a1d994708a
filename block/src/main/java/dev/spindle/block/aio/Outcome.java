// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Waiting for a result that another thread makes, with the failure itself thrown, not a wrapper.
 */
public final class Outcome {
  private Outcome() {}

  /**
   * Waits for the result. Any thread that may wait.
   *
   * @throws E what the future failed with; the caller vouches for the type
   */
  @SuppressWarnings("unchecked")
  public static <T, E extends Exception> T of(CompletableFuture<T> future) throws E {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (E) e.getCause();
    }
  }
}
