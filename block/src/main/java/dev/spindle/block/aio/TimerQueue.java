// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.PriorityQueue;

/** The timers of one context, soonest first. Owner thread only. */
final class TimerQueue {
  private final PriorityQueue<Timer> timers = new PriorityQueue<>();

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
      timers.poll().fire();
      any = true;
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
