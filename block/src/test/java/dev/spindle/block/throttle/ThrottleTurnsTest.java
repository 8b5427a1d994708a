// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static dev.spindle.block.throttle.ThrottleDirection.READ;
import static dev.spindle.block.throttle.ThrottleDirection.WRITE;
import static dev.spindle.block.throttle.ThrottleWorld.SECOND;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Members that are held, drained, hurried, moved or leave, and whose turn it is then. */
final class ThrottleTurnsTest {
  @Test
  void whoIsHeldStaysPutAndHandsTheTurnOn() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=10");
    ThrottleWorld.Disk held = world.disk();
    ThrottleWorld.Disk other = world.disk();
    for (int i = 0; i < 10; i++) {
      held.submit(READ, 512);
      other.submit(READ, 512);
    }
    held.member.holdBegin(world.now);
    long before = held.passedCount;
    world.advance(SECOND);
    assertEquals(before, held.passedCount);
    assertEquals(10, other.passedCount);
    // The bucket is far from full, and still nothing of the held one passes.
    world.advance(10 * SECOND);
    held.submit(READ, 512);
    assertEquals(before, held.passedCount);
    assertEquals(0, world.timers(READ));
    held.member.holdBegin(world.now);
    held.member.holdEnd(world.now);
    world.advance(SECOND);
    assertEquals(before, held.passedCount);
    held.member.holdEnd(world.now);
    world.advance(SECOND);
    assertEquals(11, held.passedCount);
  }

  @Test
  void aDrainedMemberPassesWhatWaitsAndTheOthersPayForIt() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("bps-total=1000");
    ThrottleWorld.Disk drained = world.disk();
    ThrottleWorld.Disk other = world.disk();
    for (int i = 0; i < 10; i++) {
      drained.submit(WRITE, 1000);
      other.submit(WRITE, 1000);
    }
    assertEquals(1, drained.passedCount);
    drained.member.drainedBegin(world.now);
    world.advance(0);
    assertEquals(10, drained.passedCount);
    assertEquals(0, other.passedCount);
    drained.submit(WRITE, 1000);
    assertEquals(11, drained.passedCount);
    drained.member.drainedEnd(world.now);
    drained.submit(WRITE, 1000);
    assertEquals(11, drained.passedCount);
    // Its deadline was set when 0.9 s were owed; everything after it waits for all 11 requests.
    world.advance(SECOND);
    assertEquals(1, other.passedCount);
    world.advance(10 * SECOND);
    assertEquals(1, other.passedCount + drained.passedCount - 11);
    world.advance(SECOND);
    assertEquals(2, other.passedCount + drained.passedCount - 11);
  }

  @Test
  void aRequestThatCannotBeSentOnHoldsUpNobody() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk broken = world.disk();
    broken.submit(READ, 512, 5);
    assertEquals(1, broken.passedCount);
    world.group.configure(ThrottleLimits.NONE, world.now);
    broken.breaks = true;
    assertThrows(IllegalStateException.class, () -> world.advance(0));
    world.advance(0);
    assertEquals(4, broken.passedCount);
    broken.checkCounts();
    ThrottleWorld.Disk other = world.disk();
    other.submit(READ, 512);
    assertEquals(1, other.passedCount);
  }

  @Test
  void drainedSectionsNestAndOutdoHeldOnes() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512);
    disk.submit(READ, 512);
    disk.member.holdBegin(world.now);
    disk.member.drainedBegin(world.now);
    disk.member.drainedBegin(world.now);
    disk.member.drainedEnd(world.now);
    world.advance(0);
    assertEquals(2, disk.passedCount);
    disk.submit(READ, 512);
    assertEquals(3, disk.passedCount);
    disk.member.drainedEnd(world.now);
    disk.submit(READ, 512);
    assertEquals(3, disk.passedCount);
    disk.member.holdEnd(world.now);
    world.advance(3 * SECOND);
    assertEquals(4, disk.passedCount);
  }

  @Test
  void aDrainThatEndsBeforeItsContextRanLeavesTheRestToTheirTurns() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512, 3);
    disk.member.drainedBegin(world.now);
    disk.member.drainedEnd(world.now);
    world.advance(0);
    assertEquals(1, disk.passedCount);
    world.advance(2 * SECOND);
    assertEquals(3, disk.passedCount);
  }

  @Test
  void aHurryThatFailsIsOver() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk broken = world.disk();
    broken.submit(READ, 512, 3);
    broken.breaks = true;
    assertThrows(IllegalStateException.class, () -> broken.lane.hurryBegin(world.now));
    broken.submit(READ, 512);
    world.advance(0);
    assertEquals(1, broken.passedCount);
    broken.checkCounts();
    world.advance(10 * SECOND);
    assertEquals(3, broken.passedCount);
  }

  @Test
  void aHurriedLanePassesWhatWaitsInItAlone() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("bps-total=1000");
    ThrottleWorld.Disk hurried = world.disk();
    ThrottleWorld.Disk sibling = world.disk(hurried.member);
    ThrottleWorld.Disk other = world.disk();
    for (ThrottleWorld.Disk disk : world.disks) {
      disk.submit(WRITE, 1000);
      disk.submit(WRITE, 1000);
      disk.submit(READ, 1000);
    }
    assertEquals(1, world.passed.size());
    hurried.hurryBegin();
    assertEquals(3, hurried.passedCount, "something waits to be released later");
    assertEquals(3, world.passed.size());
    hurried.checkCounts();
    hurried.submit(WRITE, 1000);
    assertEquals(4, hurried.passedCount);
    hurried.hurryBegin();
    hurried.hurryEndIfBegun();
    hurried.submit(READ, 1000);
    assertEquals(5, hurried.passedCount);
    hurried.hurryEndIfBegun();
    hurried.submit(READ, 1000);
    assertEquals(5, hurried.passedCount, "the limits do not count again");
    world.advance(0);
    assertEquals(5, world.passed.size(), "others passed as well");
    world.advance(20 * SECOND);
    assertEquals(3, sibling.passedCount);
    assertEquals(3, other.passedCount);
    assertEquals(6, hurried.passedCount);
  }

  @Test
  void theTurnOfAHurriedLaneIsAnothers() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk hurried = world.disk();
    ThrottleWorld.Disk other = world.disk();
    hurried.submit(READ, 512);
    hurried.submit(READ, 512);
    other.submit(READ, 512);
    assertTrue(hurried.timers.containsKey(READ));
    hurried.hurryBegin();
    assertEquals(2, hurried.passedCount);
    assertTrue(other.timers.containsKey(READ));
    // Its time was set when 0.9 s were owed; what comes then waits for all that passed.
    world.advance(SECOND);
    assertEquals(1, other.passedCount);
    other.submit(READ, 512);
    world.advance(SECOND);
    assertEquals(1, other.passedCount);
    world.advance(SECOND);
    assertEquals(2, other.passedCount);
    // The lane's own timer, started for a turn that it no longer has, does no harm.
    hurried.hurryEndIfBegun();
    hurried.checkCounts();
  }

  @Test
  void whatIsTakenOutHandsTheTurnOn() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk leaving = world.disk();
    ThrottleWorld.Disk other = world.disk();
    leaving.submit(READ, 512);
    leaving.submit(READ, 512);
    other.submit(READ, 512);
    assertTrue(leaving.timers.containsKey(READ));
    assertThrows(IllegalStateException.class, leaving.lane::close);
    assertThrows(IllegalStateException.class, leaving.member::leave);
    leaving.waiting.get(READ).remove();
    leaving.lane.withdrawn(READ, world.now);
    leaving.lane.close();
    leaving.member.leave();
    // The timer of the one that left may still fire; nobody minds.
    assertTrue(other.timers.containsKey(READ));
    world.advance(SECOND);
    assertEquals(1, other.passedCount);
    assertThrows(IllegalStateException.class, () -> leaving.lane.withdrawn(READ, world.now));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void theTurnGoesToTheNextWhenWhoHadItLeaves(int who) throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=10");
    List<ThrottleWorld.Disk> disks = List.of(world.disk(), world.disk(), world.disk());
    for (int i = 0; i < 20; i++) {
      disks.forEach(disk -> disk.submit(READ, 512));
    }
    while (world.passed.getLast().disk() != disks.get(who) || world.passed.size() < 6) {
      world.advance(SECOND / 10);
    }
    ThrottleWorld.Disk leaving = disks.get(who);
    while (!leaving.waiting.get(READ).isEmpty()) {
      leaving.waiting.get(READ).remove();
      leaving.lane.withdrawn(READ, world.now);
    }
    leaving.lane.close();
    leaving.member.leave();
    world.advance(SECOND / 5);
    int size = world.passed.size();
    assertSame(disks.get((who + 1) % 3), world.passed.get(size - 2).disk());
    assertSame(disks.get((who + 2) % 3), world.passed.get(size - 1).disk());
  }

  @Test
  void aLaneThatMovesTakesItsTimerAlong() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512);
    disk.submit(READ, 512);
    long deadline = disk.timers.remove(READ);
    disk.lane.moved(world.now);
    assertEquals(deadline, disk.timers.get(READ));
    assertEquals(1, disk.timers.size());
    disk.timers.clear();
    disk.member.drainedBegin(world.now);
    disk.timers.clear();
    disk.lane.moved(world.now);
    world.advance(0);
    assertEquals(2, disk.passedCount);
  }

  @Test
  void aTimerThatFiresTooEarlyIsStartedAgain() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512);
    disk.submit(READ, 512);
    long deadline = disk.timers.remove(READ);
    disk.lane.timerFired(READ, world.now);
    disk.lane.timerFired(WRITE, world.now);
    assertEquals(1, disk.passedCount);
    assertEquals(deadline, disk.timers.get(READ));
  }
}
