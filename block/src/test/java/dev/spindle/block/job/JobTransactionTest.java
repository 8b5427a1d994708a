// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.TestNode;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobTransactionTest {
  private static final List<String> COMMITTED =
      List.of("run", "done", "prepare", "commit", "clean");

  private JobWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private TestJob[] startPair(JobOptions second) throws Exception {
    JobTransaction pair = new JobTransaction();
    return new TestJob[] {
      world.start(JobOptions.of("one"), pair, new TestJob()),
      world.start(second, pair, new TestJob())
    };
  }

  private TestJob[] startPair() throws Exception {
    return startPair(JobOptions.of("two"));
  }

  private void assertCancelled(String id) throws Exception {
    world.awaitGone(id);
    assertEquals(
        Optional.of("Operation canceled"),
        world.awaitEvent(JobEvent.Cancelled.class, id).job().error());
  }

  private static void assertAborted(TestJob job) {
    assertFalse(job.calls.contains("commit"));
    assertEquals(1, Collections.frequency(job.calls, "abort"), job.calls.toString());
    assertEquals(1, Collections.frequency(job.calls, "clean"), job.calls.toString());
    assertEquals("clean", job.calls.getLast());
  }

  @Test
  void succeedTogether() throws Exception {
    TestJob[] pair = startPair();
    pair[0].succeed();
    world.awaitStatus("one", JobStatus.WAITING);
    assertEquals(JobStatus.RUNNING, world.status("two"));
    assertEquals(List.of("run", "done"), pair[0].calls);
    pair[1].succeed();
    assertEquals(Optional.empty(), world.ended("one").error());
    assertEquals(Optional.empty(), world.ended("two").error());
    assertEquals(COMMITTED, pair[0].calls);
    assertEquals(COMMITTED, pair[1].calls);
  }

  @Test
  void nobodyCommitsBeforeEverybodyIsPrepared() throws Exception {
    JobTransaction pair = new JobTransaction();
    TestJob first = new TestJob();
    TestJob second = new TestJob();
    first.onPrepare = () -> second.calls.add("other prepares");
    second.onPrepare = () -> first.calls.add("other prepares");
    world.start(JobOptions.of("one"), pair, first);
    world.start(JobOptions.of("two"), pair, second);
    first.succeed();
    second.succeed();
    world.ended("two");
    assertEquals("commit", first.calls.get(first.calls.indexOf("other prepares") + 1));
    assertTrue(second.calls.indexOf("other prepares") < second.calls.indexOf("prepare"));
  }

  @Test
  void oneFailureCancelsTheOtherAtWork() throws Exception {
    TestJob[] pair = startPair();
    pair[0].fail("no");
    assertEquals(Optional.of("no"), world.ended("one").error());
    assertCancelled("two");
    assertAborted(pair[0]);
    assertAborted(pair[1]);
  }

  @Test
  void oneFailureCancelsTheOtherThatWaits() throws Exception {
    TestJob[] pair = startPair();
    pair[1].succeed();
    world.awaitStatus("two", JobStatus.WAITING);
    pair[0].fail("no");
    assertEquals(Optional.of("no"), world.ended("one").error());
    assertCancelled("two");
    assertAborted(pair[1]);
  }

  @Test
  void oneFailureCancelsTheOtherThatIsPausedOrNotStarted() throws Exception {
    JobTransaction all = new JobTransaction();
    TestJob failing = world.start(JobOptions.of("one"), all, new TestJob());
    TestJob paused = world.start(JobOptions.of("two"), all, new TestJob());
    TestJob created = new TestJob();
    world.test.control(() -> world.jobs.create(JobOptions.of("three"), all, created));
    world.monitor(monitor -> monitor.pause("two"));
    world.awaitStatus("two", JobStatus.PAUSED);
    failing.fail("no");
    assertCancelled("two");
    world.awaitGone("three");
    assertAborted(paused);
    assertAborted(created);
  }

  @Test
  void cancellingOneCancelsBoth() throws Exception {
    TestJob[] pair = startPair();
    world.monitor(monitor -> monitor.cancel("two", false));
    assertCancelled("one");
    assertCancelled("two");
    assertAborted(pair[0]);
    assertAborted(pair[1]);
  }

  @Test
  void onePreparationThatFailsAbortsBoth() throws Exception {
    TestJob[] pair = startPair();
    pair[1].failsToPrepare = "not today";
    pair[0].succeed();
    pair[1].succeed();
    assertEquals(Optional.of("not today"), world.ended("two").error());
    assertCancelled("one");
    assertTrue(pair[0].calls.contains("prepare"));
    assertAborted(pair[0]);
    assertAborted(pair[1]);
  }

  @Test
  void whoeverIsFinalizedByTheUserHoldsUpAll() throws Exception {
    TestJob[] pair = startPair(JobOptions.of("two").finalizedByUser());
    pair[0].succeed();
    pair[1].succeed();
    world.awaitEvent(JobEvent.Pending.class, "two");
    assertEquals(JobStatus.PENDING, world.status("one"));
    assertFalse(world.saw(JobEvent.Pending.class, "one"));
    // Any of them will do.
    world.monitor(monitor -> monitor.finalizeJob("one"));
    world.ended("one");
    world.ended("two");
    assertEquals(COMMITTED, pair[0].calls);
    assertEquals(COMMITTED, pair[1].calls);
  }

  @Test
  void cancelledWhilePendingAllAreUndone() throws Exception {
    TestJob[] pair = startPair(JobOptions.of("two").finalizedByUser());
    pair[0].succeed();
    pair[1].succeed();
    world.awaitEvent(JobEvent.Pending.class, "two");
    world.monitor(monitor -> monitor.cancel("one", false));
    assertCancelled("one");
    assertCancelled("two");
    assertAborted(pair[0]);
    assertAborted(pair[1]);
  }

  /** What the jobs of a transaction do at the end, in the order in which they do it. */
  private List<String> startNoting(TestJob... jobs) throws Exception {
    JobTransaction transaction = new JobTransaction();
    List<String> order = new CopyOnWriteArrayList<>();
    for (int i = 0; i < jobs.length; i++) {
      String id = List.of("one", "two", "three").get(i);
      jobs[i].onEnd = what -> order.add(what + " " + id);
      world.start(JobOptions.of(id), transaction, jobs[i]);
    }
    order.clear();
    return order;
  }

  @Test
  void abortsInReverse() throws Exception {
    TestJob[] jobs = {new TestJob(), new TestJob(), new TestJob()};
    List<String> order = startNoting(jobs);
    jobs[0].fail("no");
    assertEquals(Optional.of("no"), world.ended("one").error());
    world.awaitGone("three");
    assertEquals(
        List.of("abort three", "abort two", "abort one", "clean three", "clean two", "clean one"),
        order);
  }

  @Test
  void nobodyCleansUpBeforeEverybodyHasCommitted() throws Exception {
    TestJob[] jobs = {new TestJob(), new TestJob()};
    List<String> order = startNoting(jobs);
    jobs[0].succeed();
    jobs[1].succeed();
    world.ended("two");
    assertEquals(
        List.of("prepare one", "prepare two", "commit one", "commit two", "clean two", "clean one"),
        order);
  }

  /** Memory that runs out at the end of one job is that job's own affair. */
  @ParameterizedTest
  @ValueSource(strings = {"cancel", "abort", "clean"})
  void everybodyIsUndoneWhateverAnothersEndThrows(String where) throws Exception {
    TestJob[] jobs = {new TestJob(), new TestJob()};
    startNoting(jobs);
    jobs[1].onEnd = throwing(where);
    jobs[1].onCancel = () -> jobs[1].onEnd.accept("cancel");
    jobs[0].fail("no");
    assertEquals(Optional.of("no"), world.ended("one").error());
    assertCancelled("two");
    assertAborted(jobs[0]);
    assertAborted(jobs[1]);
  }

  @ParameterizedTest
  @ValueSource(strings = {"prepare", "commit", "clean"})
  void anErrorAtTheEndIsWhatTheJobFailsWith(String where) throws Exception {
    TestNode node = world.test.node("node");
    TestJob job = new TestJob(node);
    job.onEnd = throwing(where);
    world.start("job", job);
    job.succeed();
    assertEquals(
        Optional.of("Internal error: java.lang.OutOfMemoryError: planted"),
        world.ended("job").error());
    assertEquals("clean", job.calls.getLast());
    assertEquals(where.equals("prepare"), job.calls.contains("abort"));
    assertEquals(List.of(), node.parents());
  }

  @Test
  void aJobThatRunsOutOfMemoryAsItOpensNeverWas() throws Exception {
    TestNode node = world.test.node("node");
    TestJob job = new TestJob(node);
    job.onEnd = throwing("open");
    assertThrows(OutOfMemoryError.class, () -> world.create(JobOptions.of("job"), job));
    assertEquals(List.of(), node.parents());
    world.create(JobOptions.of("job"), new TestJob(node));
  }

  private static Consumer<String> throwing(String where) {
    return what -> {
      if (what.equals(where)) {
        throw new OutOfMemoryError("planted");
      }
    };
  }

  /** Whoever comes first, each is undone once. */
  @Test
  void aFailureMayRaceACancellation() throws Exception {
    Random random = new Random(4);
    for (int round = 0; round < 300; round++) {
      String one = "one" + round;
      String two = "two" + round;
      JobTransaction transaction = new JobTransaction();
      TestJob first = world.start(JobOptions.of(one), transaction, new TestJob());
      TestJob second = world.start(JobOptions.of(two), transaction, new TestJob());
      int spins = random.nextInt(20_000);
      Thread failing =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 0; i < spins; i++) {
                      Thread.onSpinWait();
                    }
                    first.fail("no");
                  });
      String victim = random.nextBoolean() ? one : two;
      world.monitor(
          monitor -> {
            if (monitor.query().stream().anyMatch(job -> job.id().equals(victim))) {
              monitor.cancel(victim, random.nextBoolean());
            }
          });
      failing.join();
      world.awaitGone(one);
      world.awaitGone(two);
      assertAborted(first);
      assertAborted(second);
    }
  }
}
