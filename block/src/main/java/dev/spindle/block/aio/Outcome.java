// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Waiting for a result that another thread makes, with the failure itself thrown, not a wrapper.
 */
public final class Outcome {
  /** About what it takes to put a thread to sleep and to wake it again. */
  private static final long SPIN_NS = 50_000;

  private Outcome() {}

  /**
   * Looks for a short while whether results come that other contexts are about to make. Control
   * work waits for contexts again and again, and one that has little to do answers sooner than the
   * waiting thread would be asleep and awake again. Any thread but those contexts' own, whose loops
   * it would stop.
   */
  public static void expect(List<? extends CompletableFuture<?>> results) {
    long start = System.nanoTime();
    for (CompletableFuture<?> result : results) {
      while (!result.isDone() && System.nanoTime() - start < SPIN_NS) {
        Thread.onSpinWait();
      }
    }
  }

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
