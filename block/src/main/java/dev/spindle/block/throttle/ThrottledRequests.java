// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * What the user of a {@link ThrottleLane} brings along: the requests that wait, in their order, and
 * a timer for each direction on the context where they wait.
 */
public interface ThrottledRequests {
  /**
   * Bytes of the request that has waited longest; there is one. Called on the lane's own context
   * with the group's lock held: it must not call the group.
   */
  long oldestBytes(ThrottleDirection direction);

  /**
   * Takes out the request that has waited longest and sends it on. Called on the lane's own context
   * without the group's lock; further requests may come to the lane meanwhile.
   */
  void release(ThrottleDirection direction);

  /**
   * Has {@link ThrottleLane#timerFired} called on the lane's own context, once the time has come;
   * it takes the place of a timer that was started earlier. Called on any thread with the group's
   * lock held, so never at the same time by two: it must not call the group, nor wait.
   *
   * @param deadlineNs when, as of {@link System#nanoTime}; may be past
   */
  void startTimer(ThrottleDirection direction, long deadlineNs);
}
