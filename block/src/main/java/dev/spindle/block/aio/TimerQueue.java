// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.PriorityQueue;

/** The timers of one context, soonest first. Owner thread only. */
final class TimerQueue {
  private final AioContext context;
  private final PriorityQueue<Timer> timers = new PriorityQueue<>();

  TimerQueue(AioContext context) {
    this.context = context;
  }

  Timer add(long deadlineNs, Runnable task) {
    Timer timer = new Timer(deadlineNs, task, this);
    timers.add(timer);
    return timer;
  }

  void remove(Timer timer) {
    timers.remove(timer);
  }

  /** Runs what is due; true if anything was. */
  boolean runDue() {
    boolean any = false;
    while (!timers.isEmpty() && timers.peek().deadlineNs() - System.nanoTime() <= 0) {
      any = true;
      try {
        timers.poll().fire();
      } catch (Throwable e) {
        context.failed("timer", e);
      }
    }
    return any;
  }

  /** Nanoseconds until the next timer, 0 if one is due, -1 if there is none. */
  long untilNextNs() {
    if (timers.isEmpty()) {
      return -1;
    }
    return Math.max(0, timers.peek().deadlineNs() - System.nanoTime());
  }
}
