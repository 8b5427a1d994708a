// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How often a device's queues have been moved to another iothread and how long that held I/O back:
 * from the moment the first queue was told to stop until the last had started again. Nanoseconds.
 * Any thread.
 */
public final class MoveStats {
  private long moves;
  private long longestHoldNs;
  private long totalHoldNs;

  /**
   * A move is about to end.
   *
   * @param stoppedAtNs when the first queue was told to stop
   * @param queues how many will start
   * @return to be called by each queue when it has; the last one ends the move
   */
  Runnable holdSince(long stoppedAtNs, int queues) {
    AtomicInteger waiting = new AtomicInteger(queues);
    return () -> {
      if (waiting.decrementAndGet() == 0) {
        moved(System.nanoTime() - stoppedAtNs);
      }
    };
  }

  private synchronized void moved(long holdNs) {
    moves++;
    totalHoldNs += holdNs;
    longestHoldNs = Math.max(longestHoldNs, holdNs);
  }

  /** Moves completed. */
  public synchronized long moves() {
    return moves;
  }

  /** The longest time a move held I/O back. */
  public synchronized long longestHoldNs() {
    return longestHoldNs;
  }

  /** All the time that moves held I/O back. */
  public synchronized long totalHoldNs() {
    return totalHoldNs;
  }
}
