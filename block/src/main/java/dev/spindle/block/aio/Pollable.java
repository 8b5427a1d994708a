// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/**
 * Something whose readiness a busy-polling context can see in memory, with no system call: a
 * virtqueue's available index, for one. Owner thread only.
 */
public interface Pollable {
  /** Whether {@link #run} would find work. A load or two: it is called in a tight loop. */
  boolean ready();

  /** Does the work. */
  void run();

  /** The context starts busy-polling: notifications are a waste until {@link #endPolling}. */
  default void beginPolling() {}

  /**
   * The context is about to sleep: asks for notifications again. What slipped in before they were
   * on is found by {@link #ready}, which the context calls once more.
   */
  default void endPolling() {}
}
