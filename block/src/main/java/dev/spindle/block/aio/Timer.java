// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

/** A task to run once at a moment of {@link System#nanoTime}. Owner thread of its context only. */
public final class Timer implements Comparable<Timer> {
  private final long deadlineNs;
  private final Runnable task;
  private final TimerQueue queue;

  Timer(long deadlineNs, Runnable task, TimerQueue queue) {
    this.deadlineNs = deadlineNs;
    this.task = task;
    this.queue = queue;
  }

  /** Keeps it from running; no effect once it ran. */
  public void cancel() {
    queue.remove(this);
  }

  long deadlineNs() {
    return deadlineNs;
  }

  void fire() {
    task.run();
  }

  /** By the difference, since {@code nanoTime} may wrap. */
  @Override
  public int compareTo(Timer other) {
    return Long.signum(deadlineNs - other.deadlineNs);
  }
}
