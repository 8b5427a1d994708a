// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/** Something to do on a context's thread that returns a value or fails with {@code E}. */
@FunctionalInterface
public interface ContextCall<T, E extends Exception> {
  /** Does it. */
  T call() throws E;
}
