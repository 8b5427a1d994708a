// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Poll;

/** How long a back end is waited for, and what is done meanwhile. One thread. */
final class Patience {
  /** How often what is done meanwhile gets its turn, in nanoseconds. */
  private static final long SLICE_NS = 100_000_000;

  private final String complaint;
  private final long endNs;
  private final Runnable meanwhile;

  /**
   * Begins to be patient.
   *
   * @param complaint what to say at the end of it: a clause
   * @param ns how long it lasts, in nanoseconds
   * @param meanwhile done now and then while there is nothing else to do
   */
  Patience(String complaint, long ns, Runnable meanwhile) {
    this.complaint = complaint;
    this.endNs = System.nanoTime() + ns;
    this.meanwhile = meanwhile;
  }

  /**
   * Waits until there is something to receive, or the other end has hung up.
   *
   * @throws NoAnswerException if that takes too long
   */
  void awaitInput(Fd fd) throws LinuxException, NoAnswerException {
    while (Poll.await(sliceNs(), fd) == Poll.TIMED_OUT) {
      meanwhile.run();
    }
  }

  /** Waits until there is room to send; as {@link #awaitInput}. */
  void awaitRoom(Fd fd) throws LinuxException, NoAnswerException {
    while (!Poll.awaitRoom(sliceNs(), fd)) {
      meanwhile.run();
    }
  }

  private long sliceNs() throws NoAnswerException {
    long left = endNs - System.nanoTime();
    if (left <= 0) {
      throw new NoAnswerException(complaint);
    }
    return Math.min(left, SLICE_NS);
  }
}
