// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import static dev.spindle.block.throttle.ThrottleDirection.READ;
import static dev.spindle.block.throttle.ThrottleDirection.WRITE;
import static dev.spindle.block.throttle.ThrottleWorld.SECOND;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BlockException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What passes a group and when: its limits, how they are shared, and how they change. */
final class ThrottleGroupTest {
  @Test
  void withoutLimitsEverythingPassesAtOnce() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(WRITE, 1 << 20, 1000);
    assertEquals(1000, world.passed.size());
    assertEquals(0, world.timers(WRITE));
  }

  /** The bucket takes 0.1 s' worth, and one request more than fits. */
  @ParameterizedTest
  @CsvSource({
    "iops-total=100,512,11,10000000",
    "iops-write=50,4096,6,20000000",
    "bps-write=1048576,65536,2,62500000",
    "bps-total=1000000,1000,101,1000000",
    "'iops-total=100,iops-size=4096',8192,6,20000000",
    "'iops-total=100,iops-size=4096',6144,7,15000000",
    "'iops-total=100,iops-size=4096',512,11,10000000"
  })
  void passesTheBucketThenOneByOne(String limits, long bytes, int atOnce, long everyNs)
      throws Exception {
    ThrottleWorld world = ThrottleWorld.of(limits);
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(WRITE, bytes, atOnce + 50);
    assertEquals(atOnce, world.passed.size());
    // Between the moments at which one passes.
    world.advance(everyNs / 3);
    for (int i = 1; i <= 40; i++) {
      world.advance(everyNs);
      long elapsed = everyNs / 3 + i * everyNs;
      assertEquals((SECOND / 10 + elapsed) / everyNs + 1, world.passed.size());
      assertEquals(1, world.timers(WRITE));
    }
    for (int i = 0; i < world.passed.size(); i++) {
      assertEquals(i, world.passed.get(i).request().number());
    }
  }

  /** The example of QEMU's docs/throttle.txt. */
  @ParameterizedTest
  @ValueSource(ints = {1, 10, 30, 60, 63, 64, 70, 100})
  void aBurstLastsAsLongAsItIsMeantTo(int seconds) throws Exception {
    ThrottleWorld world =
        ThrottleWorld.of("iops-total=100,iops-total-max=2000,iops-total-max-length=60");
    ThrottleWorld.Disk disk = world.disk();
    disk.endless = Long.MAX_VALUE;
    // Deep enough for a request to wait all the time.
    disk.submit(READ, 4096, 202);
    world.advance(seconds * SECOND);
    long most = Math.min(200 + 2000L * seconds, 120_000 + 100L * seconds);
    long passed = world.passed.size();
    assertTrue(passed >= most && passed <= most + 1, () -> passed + ", expected " + most);
  }

  @Test
  void membersTakeTurns() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1000");
    List<ThrottleWorld.Disk> disks = List.of(world.disk(), world.disk(), world.disk());
    ThrottleWorld.Disk idle = world.disk();
    disks.get(0).submit(READ, 512, 500);
    disks.get(1).endless = 400;
    disks.get(2).endless = 400;
    disks.get(1).submit(READ, 512);
    disks.get(2).submit(READ, 512);
    int first = world.passed.size();
    world.advance(SECOND);
    List<ThrottleWorld.Passed> rest = world.passed.subList(first, world.passed.size());
    assertTrue(rest.size() >= 999);
    for (int i = 0; i + 2 < rest.size(); i++) {
      long different =
          rest.subList(i, i + 3).stream().map(ThrottleWorld.Passed::disk).distinct().count();
      assertEquals(3, different);
    }
    assertEquals(0, idle.passedCount);
  }

  @Test
  void aDiskWithManyLanesGetsNoMoreThanOneWithOne() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1000");
    ThrottleWorld.Disk single = world.disk();
    ThrottleWorld.Disk first = world.disk();
    List<ThrottleWorld.Disk> lanes =
        List.of(first, world.disk(first.member), world.disk(first.member));
    for (ThrottleWorld.Disk disk : world.disks) {
      disk.endless = Long.MAX_VALUE;
    }
    // Fill the bucket first, in such a way that nobody has an advantage afterwards.
    world.group.configure(ThrottleWorld.limits("iops-total=1"), world.now);
    single.submit(READ, 512);
    for (ThrottleWorld.Disk lane : lanes) {
      lane.submit(READ, 512);
    }
    world.disks.forEach(disk -> disk.passedCount = 0);
    world.group.configure(ThrottleWorld.limits("iops-total=1000"), world.now);
    world.advance(6 * SECOND / 10);
    for (ThrottleWorld.Disk lane : lanes) {
      assertTrue(Math.abs(3 * lane.passedCount - single.passedCount) <= 3);
    }
    assertTrue(single.passedCount >= 300);
  }

  @Test
  void bothDirectionsGoOnWhenTheyShareABucket() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("bps-total=1000000");
    ThrottleWorld.Disk reader = world.disk();
    ThrottleWorld.Disk writer = world.disk();
    for (int i = 0; i < 3000; i++) {
      reader.submit(READ, 1000);
      writer.submit(WRITE, 1000);
    }
    world.advance(2 * SECOND);
    assertEquals(2100, world.passed.size(), 5);
    assertEquals(1050, reader.passedCount, 60);
    assertEquals(1050, writer.passedCount, 60);
  }

  @Test
  void directionsWithBucketsOfTheirOwnDoNotMeet() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-read=10");
    ThrottleWorld.Disk disk = world.disk();
    for (int i = 0; i < 10; i++) {
      disk.submit(READ, 512);
      disk.submit(WRITE, 512);
    }
    assertEquals(10 + 2, world.passed.size());
    assertEquals(0, world.timers(WRITE));
  }

  @Test
  void otherLimitsHoldForWhatWaits() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    ThrottleWorld.Disk other = world.disk();
    for (int i = 0; i < 100; i++) {
      disk.submit(READ, 512);
      other.submit(READ, 512);
    }
    assertEquals(1, world.passed.size());
    world.advance(SECOND / 2);
    assertEquals(1, world.passed.size());
    world.group.configure(ThrottleWorld.limits("iops-total=100"), world.now);
    assertEquals(ThrottleWorld.limits("iops-total=100"), world.group.limits());
    world.advance(SECOND / 2);
    // 0.5 was left in a bucket that now takes 10.
    assertEquals(1 + 10 + 50, world.passed.size(), 1);
    world.group.configure(ThrottleWorld.limits("iops-total=1"), world.now);
    long before = world.passed.size();
    world.advance(SECOND * 10);
    assertEquals(before + 10, world.passed.size(), 1);
    world.group.configure(ThrottleLimits.NONE, world.now);
    world.advance(0);
    assertEquals(200, world.passed.size());
    assertEquals(0, world.timers(READ));
    disk.checkCounts();
  }

  @Test
  void whatWaitsGoesOnWhenAnotherKindIsLimited() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("bps-read=1000");
    ThrottleWorld.Disk disk = world.disk();
    for (int i = 0; i < 3; i++) {
      disk.submit(READ, 1000);
      disk.submit(WRITE, 1000);
    }
    assertEquals(1 + 3, world.passed.size());
    world.group.configure(ThrottleWorld.limits("iops-write=1"), world.now);
    world.advance(0);
    assertEquals(3 + 3, world.passed.size());
    disk.submit(WRITE, 1000, 3);
    assertEquals(6 + 1, world.passed.size());
    world.group.configure(ThrottleWorld.limits("iops-read=1"), world.now);
    world.advance(0);
    assertEquals(6 + 3, world.passed.size());
    assertEquals(0, world.timers(WRITE));
    disk.submit(READ, 1000);
    disk.submit(READ, 1000);
    assertEquals(9 + 1, world.passed.size());
    world.advance(SECOND * 9 / 10 - 1);
    assertEquals(10, world.passed.size());
    world.advance(1);
    assertEquals(11, world.passed.size());
  }

  @Test
  void aBurstEndsWithItsLimitAndBeginsAnewWithTheNext() throws Exception {
    String bursts = "iops-total=100,iops-total-max=2000,iops-total-max-length=60";
    ThrottleWorld world = ThrottleWorld.of(bursts);
    ThrottleWorld.Disk disk = world.disk();
    disk.endless = Long.MAX_VALUE;
    disk.submit(READ, 512, 202);
    world.advance(10 * SECOND);
    assertEquals(200 + 20_000, world.passed.size(), 2);
    world.passed.clear();
    world.group.configure(ThrottleWorld.limits("iops-total=100"), world.now);
    world.advance(10 * SECOND);
    // The 19200 that had passed beyond the average are not waited for.
    assertEquals(1000, world.passed.size(), 2);
    world.passed.clear();
    world.group.configure(ThrottleWorld.limits(bursts), world.now);
    world.advance(SECOND);
    assertEquals(200 + 2000, world.passed.size(), 2);
  }

  @Test
  void whoIsHeldGetsOtherLimitsAfterwards() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512, 20);
    disk.member.holdBegin(world.now);
    world.group.configure(ThrottleWorld.limits("iops-total=100"), world.now);
    world.advance(SECOND);
    assertEquals(1, disk.passedCount);
    disk.member.holdEnd(world.now);
    world.advance(0);
    // A bucket of ten and the one that finds it full.
    assertEquals(1 + 11, disk.passedCount);
    world.advance(SECOND / 100);
    assertEquals(1 + 12, disk.passedCount);
  }

  @Test
  void whatMayPassAtOnceTakesOneTimer() throws Exception {
    ThrottleWorld world = ThrottleWorld.of("iops-total=1");
    ThrottleWorld.Disk disk = world.disk();
    disk.submit(READ, 512, 100);
    assertEquals(1, disk.timersStarted);
    world.group.configure(ThrottleLimits.NONE, world.now);
    world.advance(0);
    assertEquals(100, disk.passedCount);
    assertEquals(2, disk.timersStarted);
  }

  @Test
  void groupsHaveNamesAndStayWhileTheyAreUsed() throws Exception {
    ThrottleGroups groups = new ThrottleGroups();
    ThrottleGroup group = groups.add("tg", ThrottleLimits.NONE);
    assertSame(group, groups.require("tg"));
    refused(
        "A group with this name already exists: tg",
        () -> groups.add("tg", ThrottleWorld.limits("")));
    refused("Throttle group 'other' does not exist", () -> groups.require("other"));
    refused("Throttle group 'other' does not exist", () -> groups.remove("other"));
    ThrottleMember member = group.join();
    refused("object 'tg' is in use, can not be deleted", () -> groups.remove("tg"));
    assertEquals(List.of(group), groups.all());
    member.leave();
    groups.remove("tg");
    assertEquals(List.of(), groups.all());
  }

  private static void refused(String sentence, Executable call) {
    assertEquals(sentence, assertThrows(BlockException.class, call).getMessage());
  }
}
