// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.aio;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;

/**
 * The tasks that others have for a loop: filled by any thread, emptied by the loop's own, which
 * sleeps when there are none. Takes no lock.
 *
 * <p>Whoever adds a task queues it and then looks whether the loop sleeps or has ended; the loop
 * says that it sleeps or has ended and then looks at the queue. So at least one of them sees what
 * the other did: no task stays behind, and nobody wakes a loop that is at work.
 */
final class RunQueue {
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final BooleanSupplier isOwner;
  private final Runnable wakeUp;

  /** Whether the loop may be asleep with nobody about to wake it. */
  private final AtomicBoolean asleep = new AtomicBoolean();

  /** Whether only the loop's own tasks are taken any more. */
  private volatile boolean ended;

  /**
   * Makes an empty queue of a loop that is at work.
   *
   * @param isOwner whether the calling thread is the loop's
   * @param wakeUp ends the loop's sleep, or the next one if it does not sleep yet; any thread
   */
  RunQueue(BooleanSupplier isOwner, Runnable wakeUp) {
    this.isOwner = isOwner;
    this.wakeUp = wakeUp;
  }

  /**
   * Adds a task after all that the caller has added before. Any thread.
   *
   * @return false if the loop has ended: the task will not run
   */
  boolean add(Runnable task) {
    tasks.add(task);
    // The owner's own tasks may come while it runs the last ones.
    if (ended && !isOwner.getAsBoolean() && tasks.remove(task)) {
      return false;
    }
    // One is enough to wake it: a wake-up is a system call.
    if (asleep.get() && asleep.compareAndSet(true, false)) {
      wakeUp.run();
    }
    return true;
  }

  /** Takes the next task, or null. Owner only. */
  Runnable poll() {
    return tasks.poll();
  }

  /** Whether there is no task. Owner only. */
  boolean isEmpty() {
    return tasks.isEmpty();
  }

  /**
   * Says that the loop is going to sleep.
   *
   * @return whether it may: whoever has a task for it will wake it. Owner only.
   */
  boolean beginSleep() {
    asleep.set(true);
    return tasks.isEmpty();
  }

  /** Says that the loop is at work again. Owner only. */
  void endSleep() {
    asleep.set(false);
  }

  /** Takes no more tasks of others; those that were taken are still there. Owner only. */
  void end() {
    ended = true;
  }
}
