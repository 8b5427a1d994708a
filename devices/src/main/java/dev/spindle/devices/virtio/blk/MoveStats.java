// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

/**
 * How often a device's queues have been moved to another iothread and how long that held I/O back:
 * from the moment the first queue was told to stop until the last had started again. Nanoseconds.
 * Any thread.
 */
public final class MoveStats {
  private long moves;
  private long longestHoldNs;
  private long totalHoldNs;

  synchronized void moved(long holdNs) {
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
