// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * A member's way through its group from one context: what waits there, and the timer that it may
 * hold for the whole group. Its fields are protected by the group's lock; the counts of what waits
 * change on the lane's own context alone (or while that stands still), which therefore reads them
 * without.
 */
public final class ThrottleLane implements ThrottleRing.Waiter {
  final ThrottleMember member;
  final ThrottledRequests requests;
  private final int[] waiting = new int[ThrottleGroup.DIRECTIONS.length];

  /** How many wait for it to be empty: while anybody does, everything passes. */
  private int hurried;

  ThrottleLane(ThrottleMember member, ThrottledRequests requests) {
    this.member = member;
    this.requests = requests;
  }

  /**
   * Whether a request passes without being asked for: there are no limits, and nothing waits that
   * it would overtake. Costs three loads. On the lane's own context.
   */
  public boolean isFree() {
    return !member.group.limited() && waiting[0] + waiting[1] == 0;
  }

  /**
   * Asks for a request to pass; allocates nothing, and takes no lock while the group has no limits.
   * On the lane's own context.
   *
   * @param nowNs as of {@link System#nanoTime}
   * @return true if it passes now; false if it has to wait, as the last one of {@link
   *     ThrottledRequests}, until it is released
   */
  public boolean admit(ThrottleDirection direction, long bytes, long nowNs) {
    return member.group.admit(this, direction, bytes, nowNs);
  }

  /**
   * A timer is due: releases what may pass now. Does no harm if it comes too early or for nothing.
   * On the lane's own context.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void timerFired(ThrottleDirection direction, long nowNs) {
    while (member.group.take(this, direction, nowNs)) {
      try {
        requests.release(direction);
      } catch (RuntimeException | Error e) {
        // The next turn may be this lane's, with no timer: the whole group would wait for it.
        member.group.restartTimers(this, nowNs);
        throw e;
      }
    }
  }

  /**
   * A waiting request was taken out by whoever keeps it, and does not pass. On the lane's own
   * context, or while that sends nothing.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void withdrawn(ThrottleDirection direction, long nowNs) {
    member.group.withdraw(this, direction, nowNs);
  }

  /**
   * What waits has moved to another context: its timers are started anew there. Once the old ones
   * can fire no more, and {@link ThrottledRequests} means the new context.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void moved(long nowNs) {
    member.group.restartTimers(this, nowNs);
  }

  /**
   * Somebody waits for what this lane was given, and for nobody else's requests: what waits is
   * released before this returns, without regard to the limits, and what comes passes at once. It
   * counts all the same, as in a drained section of the member. Nests. On the lane's own context.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void hurryBegin(long nowNs) {
    member.group.changeHurried(this, 1, nowNs);
    try {
      for (ThrottleDirection direction : ThrottleGroup.DIRECTIONS) {
        timerFired(direction, nowNs);
      }
    } catch (RuntimeException | Error e) {
      // Whoever waits hears of it, and will not end it.
      hurryEnd(nowNs);
      throw e;
    }
  }

  /**
   * Ends a {@link #hurryBegin}. On the lane's own context.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void hurryEnd(long nowNs) {
    member.group.changeHurried(this, -1, nowNs);
  }

  /** Requests that wait. Any thread. */
  public int waiting(ThrottleDirection direction) {
    return member.group.waiting(this, direction);
  }

  /** Ends the lane. Nothing may wait in it. Any thread. */
  public void close() {
    member.group.close(this);
  }

  /** Whether a turn would be of use: not to one that needs none. */
  @Override
  public boolean waits(ThrottleDirection direction) {
    return hurried == 0 && waitingLocked(direction) > 0;
  }

  int waitingLocked(ThrottleDirection direction) {
    return waiting[direction.ordinal()];
  }

  boolean isEmpty(ThrottleDirection direction) {
    return waiting[direction.ordinal()] == 0;
  }

  /** Whether everything passes without a turn. */
  boolean passesFreely() {
    return hurried > 0 || member.drained > 0;
  }

  void addHurried(int more) {
    hurried += more;
  }

  void addWaiting(ThrottleDirection direction, int more) {
    waiting[direction.ordinal()] += more;
  }
}
