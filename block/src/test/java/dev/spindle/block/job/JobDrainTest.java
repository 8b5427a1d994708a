// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.IsolatedSection;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.graph.TestNode;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobDrainTest {
  private JobWorld world;
  private TestGraph test;
  private AioContext io0;
  private AioContext io1;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
    test = world.test;
    io0 = test.io0.context();
    io1 = test.io1.context();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private void move(BlockNode node, AioContext target) throws Exception {
    test.control(() -> ContextChange.run(node, target));
  }

  private TestNode nodeOn(String name, AioContext context) throws Exception {
    TestNode node = test.node(name);
    move(node, context);
    return node;
  }

  private AioContext context(boolean onIothread) {
    return onIothread ? io0 : test.mainLoop.context();
  }

  private static void awaitRounds(TestJob job, int more) {
    long until = job.rounds.get() + more;
    while (job.rounds.get() < until) {
      Thread.onSpinWait();
    }
  }

  private void end(TestJob job, boolean well) throws Exception {
    if (well) {
      job.succeed();
    } else {
      job.fail("no");
    }
    assertEquals(well ? Optional.empty() : Optional.of("no"), world.ended("job").error());
    assertEquals(well, job.calls.contains("commit"));
  }

  @ParameterizedTest
  @CsvSource({"true,true", "true,false", "false,true", "false,false"})
  void aJobAtWorkStandsStillInASection(boolean onIothread, boolean well) throws Exception {
    TestNode node = nodeOn("node", context(onIothread));
    TestNode other = test.node("other");
    TestJob job = world.start("job", new TestJob(node, other).reading());
    awaitRounds(job, 3);
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(node)) {
            int seen = node.submitted.get() + other.submitted.get();
            try (JobMonitor monitor = world.jobs.monitor()) {
              assertEquals(JobStatus.PAUSED, monitor.query("job").status());
              assertFalse(monitor.query("job").busy());
            }
            // Whatever its context was about to do, it has done after this.
            job.backends[0].lane().context().call(() -> null);
            assertEquals(seen, node.submitted.get() + other.submitted.get());
          }
        });
    awaitRounds(job, 3);
    end(job, well);
  }

  @Test
  void aSleepingJobIsWokenToStandStill() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = world.start("job", new TestJob(node).becomingReady());
    world.awaitStatus("job", JobStatus.READY);
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(node)) {
            assertTrue(job.calls.contains("paused"));
            assertEquals(JobStatus.STANDBY, world.statuses("job").getLast());
          }
        });
    world.awaitStatus("job", JobStatus.READY);
    end(job, true);
  }

  /** What it is at goes through, although the section has begun: it could not pause otherwise. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aSectionWaitsForWhatAJobIsAt(boolean onIothread) throws Exception {
    TestNode node = nodeOn("node", context(onIothread));
    TestNode other = test.node("other");
    node.keeps = true;
    TestJob job = world.start("job", new TestJob(node, other).reading());
    TestNode.Kept first = JobWorld.await(node);
    node.events.clear();
    CompletableFuture<DrainedSection> begun =
        test.mainLoop.start("begin", () -> DrainedSection.begin(List.of(node, other)));
    awaitEvent(node, "begin");
    assertFalse(begun.isDone());
    other.keeps = true;
    first.complete(0);
    TestNode.Kept second = JobWorld.await(other);
    assertFalse(begun.isDone());
    second.complete(0);
    DrainedSection section = begun.join();
    assertEquals(JobStatus.PAUSED, world.statuses("job").getLast());
    node.keeps = false;
    other.keeps = false;
    test.control(section::close);
    end(job, true);
  }

  @ParameterizedTest
  @CsvSource({"true,true", "true,false", "false,true", "false,false"})
  void aJobMayEndInsideTheSectionThatWaitsForIt(boolean onIothread, boolean well) throws Exception {
    TestNode node = nodeOn("node", context(onIothread));
    node.keeps = true;
    TestJob job = world.start("job", new TestJob(node).reading());
    // It ends by draining its own node.
    job.onPrepare = () -> DrainedSection.begin(node).close();
    job.onAbort = job.onPrepare;
    TestNode.Kept kept = JobWorld.await(node);
    node.events.clear();
    CompletableFuture<List<String>> drained =
        test.mainLoop.start(
            "drain",
            () -> {
              try (DrainedSection section = DrainedSection.begin(node)) {
                return List.copyOf(job.calls);
              }
            });
    awaitEvent(node, "begin");
    if (well) {
      job.succeed();
    } else {
      job.fail("no");
    }
    kept.complete(0);
    // Its work is over in the section, and the rest of its end comes afterwards.
    assertEquals(List.of("run", "done"), drained.join());
    end(job, well);
  }

  @Test
  void pausesOfTheUserAndOfSectionsAreCounted() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = world.start("job", new TestJob(node).reading());
    test.control(
        () -> {
          DrainedSection outer = DrainedSection.begin(node);
          DrainedSection inner = DrainedSection.begin(node);
          world.monitor(monitor -> monitor.pause("job"));
          inner.close();
          outer.close();
        });
    assertEquals(JobStatus.PAUSED, world.status("job"));
    assertTrue(world.query("job").paused());
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(node)) {
            world.monitor(monitor -> monitor.resume("job"));
            assertEquals(JobStatus.PAUSED, world.status("job"));
          }
        });
    awaitRounds(job, 1);
    end(job, true);
  }

  @Test
  void cancelledInASectionItSendsNothingMore() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = world.start("job", new TestJob(node).reading());
    awaitRounds(job, 1);
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(node)) {
            int seen = node.submitted.get();
            test.control(world.jobs::cancelAll);
            assertEquals("clean", job.calls.getLast());
            assertEquals(seen, node.submitted.get());
            assertEquals(List.of(), node.parents());
          }
        });
    world.awaitGone("job");
  }

  @Test
  void startedInASectionItBeginsAfterwards() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = new TestJob(node).reading();
    test.control(
        () -> {
          try (DrainedSection section = DrainedSection.begin(node)) {
            world.start("job", job);
            assertFalse(job.calls.contains("run"));
          }
        });
    awaitRounds(job, 1);
    end(job, true);
  }

  @Test
  void anIsolatedBackendHasNoJobBesideIt() throws Exception {
    TestNode node = nodeOn("node", io0);
    BlockBackend backend = test.use(node, new TestGraph.User("u"));
    TestJob job = world.start("job", new TestJob(node).reading());
    awaitRounds(job, 1);
    IsolatedSection section = test.get(backend::isolate);
    assertEquals(JobStatus.PAUSED, world.status("job"));
    test.control(section::close);
    awaitRounds(job, 1);
    end(job, true);
  }

  /** Each read asserts that it is made on the context of its lane. */
  @Test
  void aJobAtWorkFollowsItsNodes() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestNode other = nodeOn("other", io1);
    TestJob job = world.start("job", new TestJob(node, other).reading());
    assertEquals(io0, other.context());
    AioContext[] targets = {io1, test.mainLoop.context(), io0};
    for (int i = 0; i < 150; i++) {
      BlockNode moved = i % 2 == 0 ? node : other;
      AioContext target = targets[i % targets.length];
      move(moved, target);
      assertEquals(target, node.context());
      assertEquals(target, other.context());
      awaitRounds(job, 2);
      assertEquals(target.name(), job.contexts.getLast());
    }
    end(job, true);
    // Which lanes its moves have left open, if any.
    assertEquals(0, node.openLanes.get());
    assertEquals(0, other.openLanes.get());
  }

  @Test
  void aSleepingJobFollowsToo() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = world.start("job", new TestJob(node));
    move(node, io1);
    job.reads = true;
    job.kick();
    awaitRounds(job, 3);
    assertEquals(List.of("io1"), job.contexts);
    end(job, true);
  }

  @Test
  void movedBeforeItsStartItWorksThere() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestJob job = world.create(JobOptions.of("job"), new TestJob(node).reading());
    move(node, io1);
    test.control(() -> world.jobs.start("job"));
    awaitRounds(job, 1);
    assertEquals(List.of("io1"), job.contexts);
    end(job, true);
  }

  @Test
  void oneWhoCannotFollowKeepsTheJobAndItsNodes() throws Exception {
    TestNode node = nodeOn("node", io0);
    TestNode other = nodeOn("other", io0);
    TestGraph.User user = new TestGraph.User("u");
    user.stays = true;
    test.use(other, user);
    TestJob job = world.start("job", new TestJob(node, other).reading());
    awaitRounds(job, 1);
    for (int i = 0; i < 3; i++) {
      BlockException refusal = assertThrows(BlockException.class, () -> move(node, io1));
      assertEquals("Changing iothreads is not supported by user 'u'", refusal.getMessage());
    }
    assertEquals(io0, node.context());
    awaitRounds(job, 2);
    assertEquals(List.of("io0"), job.contexts);
    end(job, true);
    assertEquals(0, node.openLanes.get());
  }

  @Test
  void aLinkThatAJobReliesOnStays() throws Exception {
    TestNode file = test.node("file");
    TestNode filter = test.filter("filter", file);
    TestJob job = new TestJob(filter);
    job.link = filter.children().getFirst();
    world.start("job", job);
    TestNode overlay = test.node("overlay");
    String before = test.picture();
    BlockException refusal =
        assertThrows(
            BlockException.class, () -> test.control(() -> test.graph.insertFilter(overlay, file)));
    assertEquals(
        "Cannot change 'file' link from node 'filter' to 'file': test job 'job' relies on it",
        refusal.getMessage());
    assertEquals(before, test.picture());
    end(job, true);
    test.control(() -> test.graph.insertFilter(overlay, file));
  }

  private static void awaitEvent(TestNode node, String event) {
    while (!node.events.contains(event)) {
      Thread.onSpinWait();
    }
  }
}
