// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * A disk in a throttle group. Members get turns, whatever the number of their lanes: a disk with
 * many queues gets no more than one with a single queue. Fields are protected by the group's lock.
 */
public final class ThrottleMember implements ThrottleRing.Waiter {
  final ThrottleGroup group;
  final ThrottleRing<ThrottleLane> lanes = new ThrottleRing<>();

  /** Drained sections: while there are any, everything passes. */
  int drained;

  /** Isolated sections: while there are any, what waits stays put. */
  int held;

  ThrottleMember(ThrottleGroup group) {
    this.group = group;
  }

  /** The group that it is in. */
  public ThrottleGroup group() {
    return group;
  }

  /** Opens a way for requests from one context. Any thread. */
  public ThrottleLane openLane(ThrottledRequests requests) {
    return group.open(this, requests);
  }

  /**
   * Begins a drained section: what waits is released without regard to the limits, on its own
   * contexts, soon, and what comes passes at once. It counts all the same, so the group's other
   * members wait the longer. Sections nest, and a drained one outdoes a held one. Any thread.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void drainedBegin(long nowNs) {
    group.changeDrained(this, 1, nowNs);
  }

  /**
   * Ends a drained section. Any thread.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void drainedEnd(long nowNs) {
    group.changeDrained(this, -1, nowNs);
  }

  /**
   * Lets what waits stay put, and hands the turn on: for an isolated section. What comes while the
   * group has limits waits too. Sections nest. Any thread.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void holdBegin(long nowNs) {
    group.changeHeld(this, 1, nowNs);
  }

  /**
   * Ends {@link #holdBegin}: what waited takes its turns again. Any thread.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void holdEnd(long nowNs) {
    group.changeHeld(this, -1, nowNs);
  }

  /** Leaves the group. Its lanes are closed. Any thread. */
  public void leave() {
    group.leave(this);
  }

  @Override
  public boolean waits(ThrottleDirection direction) {
    return held == 0 && drained == 0 && lanes.next(direction) != null;
  }
}
