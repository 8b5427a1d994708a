// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.throttle.ThrottleWorld.Disk;
import dev.spindle.block.throttle.ThrottleWorld.Passed;
import dev.spindle.block.throttle.ThrottleWorld.Request;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
final class ThrottleGroupStressTest {
  private static final int MOST_BYTES = 1 << 16;

  private int withdrawn;

  /** Anything may happen in any order; nothing is lost, overtaken, or passed too soon. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
  void randomSteps(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    ThrottleWorld world = new ThrottleWorld(randomLimits(random), random.nextLong());
    Phase phase = new Phase(world);
    for (int i = 0; i < 4; i++) {
      world.disk();
    }
    world.disk(world.disks.getFirst().member);
    int submitted = 0;
    for (int step = 0; step < 4_000; step++) {
      Disk disk = world.disks.get(random.nextInt(world.disks.size()));
      switch (random.nextInt(22)) {
        case 0 -> disk.member.holdBegin(world.now);
        case 1, 2 -> {
          if (disk.member.held > 0) {
            disk.member.holdEnd(world.now);
          }
        }
        case 3 -> {
          phase = new Phase(null);
          disk.member.drainedBegin(world.now);
        }
        case 4, 5 -> {
          if (disk.member.drained > 0) {
            disk.member.drainedEnd(world.now);
          }
        }
        case 6 -> {
          phase.check();
          world.group.configure(randomLimits(random), world.now);
          boolean none =
              world.disks.stream().allMatch(d -> d.member.drained == 0 && d.hurried == 0);
          phase = new Phase(none ? world : null);
        }
        case 7 -> {
          disk.timers.clear();
          disk.lane.moved(world.now);
        }
        case 8 -> withdraw(disk, random, world.now);
        case 9 -> replaceIfIdle(world, disk);
        case 20 -> {
          phase = new Phase(null);
          disk.hurryBegin();
        }
        case 21 -> disk.hurryEndIfBegun();
        case 10, 11, 12 -> world.advance(random.nextLong(ThrottleWorld.SECOND / 4));
        default -> {
          disk.submit(direction(random), random.nextLong(1, MOST_BYTES));
          submitted++;
        }
      }
      checkSomebodyIsNext(world);
    }
    phase.check();
    assertTrue(world.passed.size() > submitted / 20, "hardly anything passed");
    for (Disk disk : world.disks) {
      while (disk.member.held > 0) {
        disk.member.holdEnd(world.now);
      }
      while (disk.member.drained > 0) {
        disk.member.drainedEnd(world.now);
      }
      while (disk.hurried > 0) {
        disk.hurryEndIfBegun();
      }
    }
    world.group.configure(ThrottleLimits.NONE, world.now);
    world.advance(0);
    world.disks.forEach(Disk::checkCounts);
    assertEquals(submitted, world.passed.size() + withdrawn);
    checkOrder(world);
  }

  private void withdraw(Disk disk, SplittableRandom random, long now) {
    ThrottleDirection direction = direction(random);
    if (!disk.waiting.get(direction).isEmpty()) {
      disk.waiting.get(direction).remove();
      disk.lane.withdrawn(direction, now);
      withdrawn++;
    }
  }

  private static void replaceIfIdle(ThrottleWorld world, Disk disk) {
    boolean idle = disk.waiting.values().stream().allMatch(Deque::isEmpty);
    boolean alone = world.disks.stream().filter(d -> d.member == disk.member).count() == 1;
    boolean free = disk.member.drained > 0 || disk.hurried > 0;
    if (idle && alone && disk.member.held == 0 && !free) {
      disk.lane.close();
      disk.member.leave();
      world.disks.remove(disk);
      world.disk();
    }
  }

  /**
   * Who may go either has the timer or is waiting for one who has it; drained ones have their own.
   */
  private static void checkSomebodyIsNext(ThrottleWorld world) {
    for (ThrottleDirection direction : ThrottleDirection.values()) {
      List<Disk> waiting =
          world.disks.stream().filter(d -> !d.waiting.get(direction).isEmpty()).toList();
      List<Disk> eligible =
          waiting.stream().filter(d -> d.member.held == 0 && d.member.drained == 0).toList();
      assertTrue(
          eligible.isEmpty() || eligible.stream().anyMatch(d -> d.timers.containsKey(direction)));
      for (Disk disk : waiting) {
        assertEquals(0, disk.hurried, "something waits in a lane that lets everything pass");
        assertTrue(disk.member.drained == 0 || disk.timers.containsKey(direction));
      }
    }
  }

  private static void checkOrder(ThrottleWorld world) {
    Map<Object, Long> last = new HashMap<>();
    for (Passed passed : world.passed) {
      if (!passed.overtook()) {
        long number = passed.request().number();
        Long before = last.put(List.of(passed.disk(), passed.direction()), number);
        assertTrue(before == null || before < number);
      }
    }
    long distinct =
        world.passed.stream().map(Passed::request).map(Request::number).distinct().count();
    assertEquals(world.passed.size(), distinct);
  }

  private static ThrottleDirection direction(SplittableRandom random) {
    return random.nextBoolean() ? ThrottleDirection.READ : ThrottleDirection.WRITE;
  }

  private static ThrottleLimits randomLimits(SplittableRandom random) {
    BucketLimit none = BucketLimit.NONE;
    BucketLimit operations = new BucketLimit(random.nextLong(1, 200), 0, 1);
    long average = random.nextLong(MOST_BYTES, 10 * MOST_BYTES);
    BucketLimit bytes = new BucketLimit(average, 2 * average, random.nextLong(1, 3));
    return switch (random.nextInt(4)) {
      case 0 -> new ThrottleLimits(operations, none, none, none, none, none, 0);
      case 1 -> new ThrottleLimits(none, operations, none, none, none, bytes, 8192);
      case 2 -> new ThrottleLimits(none, none, none, bytes, none, none, 0);
      default -> new ThrottleLimits(operations, none, none, bytes, none, none, 0);
    };
  }

  /** A time under the same limits, in which no more may pass than they say. */
  private static final class Phase {
    private final ThrottleWorld world;
    private final int first;
    private final long begin;

    /** Without a world, anything may pass: somebody is drained. */
    Phase(ThrottleWorld world) {
      this.world = world;
      this.first = world == null ? 0 : world.passed.size();
      this.begin = world == null ? 0 : world.now;
    }

    void check() {
      if (world == null) {
        return;
      }
      List<Passed> passed = world.passed.subList(first, world.passed.size());
      long bytes = passed.stream().mapToLong(p -> p.request().bytes()).sum();
      check(world.group.limits().iopsTotal(), passed.size(), 1);
      check(world.group.limits().bpsTotal(), bytes, MOST_BYTES);
    }

    private void check(BucketLimit limit, long amount, long largest) {
      if (limit.average() == 0) {
        return;
      }
      double size =
          limit.max() > 0 ? (double) limit.max() * limit.maxLength() : limit.average() / 10.0;
      double seconds = (world.now - begin) / 1e9;
      // One more of each direction may pass when the bucket is just full.
      assertTrue(
          amount <= size + limit.average() * seconds + 2 * largest, () -> amount + " passed");
    }
  }

  /** Lanes on threads of their own, while another thread changes everything. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void manyThreads(long seed) throws Exception {
    int requests = 3_000;
    ThrottleGroup group = new ThrottleGroup("g", operations(20_000), System.nanoTime());
    List<ThreadLane> lanes = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      ThrottleMember member = i == 1 ? lanes.getFirst().lane.member : group.join();
      lanes.add(new ThreadLane(member, requests));
    }
    lanes.forEach(lane -> lane.thread.execute(() -> lane.submitAll(seed)));
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 300; i++) {
      ThrottleMember member = lanes.get(random.nextInt(lanes.size())).lane.member;
      switch (random.nextInt(3)) {
        case 0 -> {
          member.drainedBegin(System.nanoTime());
          member.drainedEnd(System.nanoTime());
        }
        case 1 -> {
          member.holdBegin(System.nanoTime());
          member.holdEnd(System.nanoTime());
        }
        default -> group.configure(operations(random.nextLong(10_000, 200_000)), System.nanoTime());
      }
      Thread.yield();
    }
    group.configure(operations(100_000), System.nanoTime());
    for (ThreadLane lane : lanes) {
      lane.done.await();
      lane.thread.shutdownNow();
      assertEquals(requests, lane.released + lane.atOnce);
      assertEquals(0, lane.lane.waiting(ThrottleDirection.READ));
      assertEquals(0, lane.lane.waiting(ThrottleDirection.WRITE));
      lane.lane.close();
    }
  }

  private static ThrottleLimits operations(long perSecond) {
    BucketLimit none = BucketLimit.NONE;
    return new ThrottleLimits(new BucketLimit(perSecond, 0, 1), none, none, none, none, none, 0);
  }

  private static final class ThreadLane implements ThrottledRequests {
    final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
    final ThrottleLane lane;
    final CountDownLatch done;
    final Map<ThrottleDirection, Deque<Long>> waiting = new EnumMap<>(ThrottleDirection.class);
    private final int requests;

    /** Written by the lane's thread; read once all is done. */
    private int released;

    private int atOnce;

    ThreadLane(ThrottleMember member, int requests) {
      this.requests = requests;
      this.done = new CountDownLatch(requests);
      for (ThrottleDirection direction : ThrottleDirection.values()) {
        waiting.put(direction, new ArrayDeque<>());
      }
      this.lane = member.openLane(this);
    }

    void submitAll(long seed) {
      SplittableRandom random = new SplittableRandom(seed);
      for (int i = 0; i < requests; i++) {
        thread.execute(() -> submit(direction(random)));
      }
    }

    private void submit(ThrottleDirection direction) {
      if (lane.admit(direction, 512, System.nanoTime())) {
        atOnce++;
        done.countDown();
      } else {
        waiting.get(direction).add(512L);
      }
    }

    @Override
    public long oldestBytes(ThrottleDirection direction) {
      return waiting.get(direction).element();
    }

    @Override
    public void release(ThrottleDirection direction) {
      waiting.get(direction).remove();
      released++;
      done.countDown();
    }

    @Override
    public void startTimer(ThrottleDirection direction, long deadlineNs) {
      thread.schedule(
          () -> lane.timerFired(direction, System.nanoTime()),
          Math.max(0, deadlineNs - System.nanoTime()),
          TimeUnit.NANOSECONDS);
    }
  }
}
