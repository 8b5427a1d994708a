// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.Timer;

/** A timer on one context that any thread may set, one at a time. */
final class ContextTimer {
  private final AioContext context;
  private final Runnable action;
  private final Runnable restart = this::restart;

  /** When it is due; set by any thread, whoever holds the group's lock, and read by the context. */
  private volatile long deadlineNs;

  private final Runnable expiry = this::fire;

  /** Context's thread only. */
  private Timer running;

  /** Context's thread only. */
  private boolean closed;

  ContextTimer(AioContext context, Runnable action) {
    this.context = context;
    this.action = action;
  }

  /**
   * Has the action run on the context once the time has come, and not at a time that was set
   * before. Does not run it within this call.
   *
   * @param newDeadlineNs as of {@link System#nanoTime}; may be past
   */
  void start(long newDeadlineNs) {
    deadlineNs = newDeadlineNs;
    if (context.isOwner()) {
      restart();
    } else {
      context.execute(restart);
    }
  }

  private void restart() {
    cancel();
    if (!closed) {
      running = context.startTimer(Math.max(0, deadlineNs - System.nanoTime()), expiry);
    }
  }

  private void fire() {
    running = null;
    action.run();
  }

  private void cancel() {
    if (running != null) {
      running.cancel();
      running = null;
    }
  }

  /** Keeps it from running any more. On the context. */
  void close() {
    closed = true;
    cancel();
  }
}
