// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

/**
 * Disks that share limits. What may not pass waits at its {@link ThrottleLane}, and the members
 * whose requests wait take turns. At most one timer for each direction is pending in the whole
 * group: that of the lane whose turn is next.
 *
 * <p><b>Threads.</b> Lanes are on different contexts; one short lock protects the buckets, the
 * turns and the timers. It is taken for each request while there are limits, and never while there
 * are none. Nothing is allocated for a request.
 *
 * <p><b>What always holds</b> with the lock free: a direction has a lane whose turn is next if, and
 * only if, some lane waits that is neither hurried nor of a member held or drained; that lane is
 * one of these, and its timer is pending or its context is just at work on it. So nothing waits for
 * ever, and whoever finds a next lane knows that others came first.
 */
public final class ThrottleGroup {
  static final ThrottleDirection[] DIRECTIONS = ThrottleDirection.values();

  private final String name;
  private final Object lock = new Object();

  /** Protected by the lock, as everything below is. */
  private final ThrottleState state;

  private final ThrottleRing<ThrottleMember> members = new ThrottleRing<>();

  /** By direction, the lane whose turn is next, or null if nobody waits. */
  private final ThrottleLane[] next = new ThrottleLane[DIRECTIONS.length];

  /** By direction, when that is. */
  private final long[] deadlineNs = new long[DIRECTIONS.length];

  private ThrottleLimits limits;

  /** Written with the lock held, read without. */
  private volatile boolean limited;

  /**
   * Makes a group without members.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public ThrottleGroup(String name, ThrottleLimits limits, long nowNs) {
    this.name = name;
    this.state = new ThrottleState(nowNs);
    configure(limits, nowNs);
  }

  /** Unique among groups. */
  public String name() {
    return name;
  }

  /** What passes. Any thread. */
  public ThrottleLimits limits() {
    synchronized (lock) {
      return limits;
    }
  }

  /**
   * Sets other limits, also for what already waits. Nobody waits at the new rate for what passed
   * before. Any thread.
   *
   * @param nowNs as of {@link System#nanoTime}
   */
  public void configure(ThrottleLimits newLimits, long nowNs) {
    synchronized (lock) {
      state.configure(newLimits, nowNs);
      limits = newLimits;
      limited = newLimits.limited();
      for (ThrottleDirection direction : DIRECTIONS) {
        next[direction.ordinal()] = null;
        chooseNext(direction, nowNs, null);
      }
    }
  }

  /** Adds a disk. Any thread. */
  public ThrottleMember join() {
    ThrottleMember member = new ThrottleMember(this);
    synchronized (lock) {
      members.add(member);
    }
    return member;
  }

  /** Whether it has no members. Any thread. */
  public boolean isEmpty() {
    synchronized (lock) {
      return members.all().isEmpty();
    }
  }

  void leave(ThrottleMember member) {
    synchronized (lock) {
      if (!member.lanes.all().isEmpty()) {
        throw new IllegalStateException("a member leaves group '" + name + "' with lanes open");
      }
      members.remove(member);
    }
  }

  /** Whether there are any limits. Any thread. */
  boolean limited() {
    return limited;
  }

  ThrottleLane open(ThrottleMember member, ThrottledRequests requests) {
    ThrottleLane lane = new ThrottleLane(member, requests);
    synchronized (lock) {
      member.lanes.add(lane);
    }
    return lane;
  }

  void close(ThrottleLane lane) {
    synchronized (lock) {
      for (ThrottleDirection direction : DIRECTIONS) {
        if (!lane.isEmpty(direction)) {
          throw new IllegalStateException("a lane of group '" + name + "' still has requests");
        }
      }
      lane.member.lanes.remove(lane);
    }
  }

  boolean admit(ThrottleLane lane, ThrottleDirection direction, long bytes, long nowNs) {
    if (!limited && lane.isEmpty(direction)) {
      return true;
    }
    synchronized (lock) {
      if (!lane.passesFreely() && mustWait(lane.member, direction, nowNs)) {
        lane.addWaiting(direction, 1);
        chooseNext(direction, nowNs, null);
        return false;
      }
      state.account(direction, bytes);
      return true;
    }
  }

  private boolean mustWait(ThrottleMember member, ThrottleDirection direction, long nowNs) {
    return member.held > 0
        || next[direction.ordinal()] != null
        || state.waitNs(direction, nowNs) > 0;
  }

  /**
   * Counts the oldest request of a lane as passed, if it may: because the lane's turn has come, or
   * because nothing keeps it waiting. When the turn has come, the buckets are not asked again:
   * requests of the other direction may have filled those of the totals meanwhile, and could do so
   * each time.
   *
   * @return whether one is to be released
   */
  boolean take(ThrottleLane lane, ThrottleDirection direction, long nowNs) {
    synchronized (lock) {
      boolean free = lane.passesFreely();
      if (!free && !isDue(lane, direction, nowNs)) {
        return false;
      }
      if (lane.isEmpty(direction)) {
        return false;
      }
      lane.addWaiting(direction, -1);
      state.account(direction, lane.requests.oldestBytes(direction));
      if (!free) {
        lane.member.lanes.served(direction, lane);
        members.served(direction, lane.member);
        next[direction.ordinal()] = null;
        chooseNext(direction, nowNs, lane);
      }
      return true;
    }
  }

  private boolean isDue(ThrottleLane lane, ThrottleDirection direction, long nowNs) {
    int d = direction.ordinal();
    if (next[d] != lane) {
      return false;
    }
    if (nowNs - deadlineNs[d] < 0) {
      lane.requests.startTimer(direction, deadlineNs[d]);
      return false;
    }
    return true;
  }

  void withdraw(ThrottleLane lane, ThrottleDirection direction, long nowNs) {
    synchronized (lock) {
      if (lane.isEmpty(direction)) {
        throw new IllegalStateException("nothing waits in group '" + name + "'");
      }
      lane.addWaiting(direction, -1);
      reconsiderNext(direction, nowNs);
    }
  }

  int waiting(ThrottleLane lane, ThrottleDirection direction) {
    synchronized (lock) {
      return lane.waitingLocked(direction);
    }
  }

  void restartTimers(ThrottleLane lane, long nowNs) {
    synchronized (lock) {
      for (ThrottleDirection direction : DIRECTIONS) {
        if (next[direction.ordinal()] == lane) {
          lane.requests.startTimer(direction, deadlineNs[direction.ordinal()]);
        } else if (lane.passesFreely() && !lane.isEmpty(direction)) {
          lane.requests.startTimer(direction, nowNs);
        }
      }
    }
  }

  void changeDrained(ThrottleMember member, int more, long nowNs) {
    synchronized (lock) {
      member.drained += more;
      for (ThrottleDirection direction : DIRECTIONS) {
        reconsiderNext(direction, nowNs);
        if (member.drained > 0) {
          for (ThrottleLane lane : member.lanes.all()) {
            if (!lane.isEmpty(direction)) {
              lane.requests.startTimer(direction, nowNs);
            }
          }
        }
      }
    }
  }

  void changeHurried(ThrottleLane lane, int more, long nowNs) {
    synchronized (lock) {
      lane.addHurried(more);
      for (ThrottleDirection direction : DIRECTIONS) {
        reconsiderNext(direction, nowNs);
      }
    }
  }

  void changeHeld(ThrottleMember member, int more, long nowNs) {
    synchronized (lock) {
      member.held += more;
      for (ThrottleDirection direction : DIRECTIONS) {
        reconsiderNext(direction, nowNs);
      }
    }
  }

  /** Somebody waits no longer, or waits again: the turn may be another's. */
  private void reconsiderNext(ThrottleDirection direction, long nowNs) {
    ThrottleLane lane = next[direction.ordinal()];
    if (lane != null && !(lane.member.waits(direction) && lane.waits(direction))) {
      next[direction.ordinal()] = null;
    }
    chooseNext(direction, nowNs, null);
  }

  /**
   * Finds whose turn it is, if that is not settled, and starts its timer.
   *
   * @param running a lane that goes on by itself if the turn is its own at once; may be null
   */
  private void chooseNext(ThrottleDirection direction, long nowNs, ThrottleLane running) {
    int d = direction.ordinal();
    if (next[d] != null) {
      return;
    }
    ThrottleMember member = members.next(direction);
    if (member == null) {
      return;
    }
    ThrottleLane lane = member.lanes.next(direction);
    long waitNs = state.waitNs(direction, nowNs);
    next[d] = lane;
    deadlineNs[d] = nowNs + waitNs;
    if (waitNs > 0 || lane != running) {
      lane.requests.startTimer(direction, deadlineNs[d]);
    }
  }
}
