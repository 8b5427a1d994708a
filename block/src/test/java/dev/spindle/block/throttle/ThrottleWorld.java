// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Disks, their contexts' timers and a clock that stands still until it is moved. */
final class ThrottleWorld {
  static final long SECOND = 1_000_000_000;

  final ThrottleGroup group;
  final List<Disk> disks = new ArrayList<>();

  /** Every request that passed, in order. */
  final List<Passed> passed = new ArrayList<>();

  /** Begins anywhere, also where the clock will wrap soon. */
  long now;

  private long sequence;

  /** A group on a clock that wraps within the first second. */
  static ThrottleWorld of(String limits) throws Exception {
    return new ThrottleWorld(limits(limits), Long.MAX_VALUE - SECOND);
  }

  /** Limits as a user writes them; none if the text is empty. */
  static ThrottleLimits limits(String text) throws Exception {
    return text.isEmpty()
        ? ThrottleLimits.NONE
        : ThrottleLimits.parse(new Options("test", KeyValues.parse("test", text, null)), "");
  }

  ThrottleWorld(ThrottleLimits limits, long start) {
    this.now = start;
    this.group = new ThrottleGroup("g", limits, start);
  }

  /**
   * A request on its way.
   *
   * @param overtook whether others still waited before it, which a drained section allows
   */
  record Passed(Disk disk, ThrottleDirection direction, Request request, boolean overtook) {}

  record Request(long number, long bytes) {}

  Disk disk() {
    return disk(group.join());
  }

  /** Another lane of the same disk. */
  Disk disk(ThrottleMember member) {
    Disk disk = new Disk(member);
    disks.add(disk);
    return disk;
  }

  /** Runs every timer up to a moment, in order, then stands there. */
  void advance(long byNs) {
    long end = now + byNs;
    for (Disk disk = earliest(end); disk != null; disk = earliest(end)) {
      disk.fire(end);
    }
    now = end;
  }

  private Disk earliest(long end) {
    Disk found = null;
    for (Disk disk : disks) {
      for (long deadline : disk.timers.values()) {
        boolean first = found == null || deadline - found.firstDeadline() < 0;
        if (deadline - end <= 0 && first && deadline == disk.firstDeadline()) {
          found = disk;
        }
      }
    }
    return found;
  }

  int timers(ThrottleDirection direction) {
    return (int) disks.stream().filter(disk -> disk.timers.containsKey(direction)).count();
  }

  /** One lane with its queue; most disks have one only. */
  final class Disk implements ThrottledRequests {
    final ThrottleMember member;
    final ThrottleLane lane;
    final Map<ThrottleDirection, Long> timers = new EnumMap<>(ThrottleDirection.class);
    final Map<ThrottleDirection, Deque<Request>> waiting = new EnumMap<>(ThrottleDirection.class);

    /** How many more it sends whenever one passes. */
    long endless;

    /** How many have begun to wait for the lane to be empty. */
    int hurried;

    long passedCount;
    long timersStarted;

    private Disk(ThrottleMember member) {
      this.member = member;
      for (ThrottleDirection direction : ThrottleDirection.values()) {
        waiting.put(direction, new ArrayDeque<>());
      }
      this.lane = member.openLane(this);
    }

    void hurryBegin() {
      hurried++;
      lane.hurryBegin(now);
    }

    void hurryEndIfBegun() {
      if (hurried > 0) {
        hurried--;
        lane.hurryEnd(now);
      }
    }

    void submit(ThrottleDirection direction, long bytes) {
      Request request = new Request(sequence++, bytes);
      if (lane.admit(direction, bytes, now)) {
        pass(direction, request, !waiting.get(direction).isEmpty());
      } else {
        waiting.get(direction).add(request);
      }
    }

    /** Submits several alike. */
    void submit(ThrottleDirection direction, long bytes, int count) {
      for (int i = 0; i < count; i++) {
        submit(direction, bytes);
      }
    }

    /** Whether the next request that is released cannot be sent on. */
    boolean breaks;

    private void pass(ThrottleDirection direction, Request request, boolean overtook) {
      passedCount++;
      passed.add(new Passed(this, direction, request, overtook));
      if (endless > 0) {
        endless--;
        submit(direction, request.bytes());
      }
    }

    private void fire(long end) {
      long deadline = firstDeadline();
      for (ThrottleDirection direction : ThrottleDirection.values()) {
        if (timers.getOrDefault(direction, end + 1) == deadline) {
          timers.remove(direction);
          now = deadline - now > 0 ? deadline : now;
          lane.timerFired(direction, now);
          return;
        }
      }
    }

    private long firstDeadline() {
      return timers.values().stream().reduce((a, b) -> a - b < 0 ? a : b).orElseThrow();
    }

    @Override
    public long oldestBytes(ThrottleDirection direction) {
      return waiting.get(direction).element().bytes();
    }

    @Override
    public void release(ThrottleDirection direction) {
      Request request = waiting.get(direction).remove();
      if (breaks) {
        breaks = false;
        throw new IllegalStateException("planted");
      }
      pass(direction, request, false);
    }

    @Override
    public void startTimer(ThrottleDirection direction, long deadlineNs) {
      timers.put(direction, deadlineNs);
      timersStarted++;
    }

    void checkCounts() {
      for (ThrottleDirection direction : ThrottleDirection.values()) {
        assertEquals(waiting.get(direction).size(), lane.waiting(direction));
      }
    }
  }
}
