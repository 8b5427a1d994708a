// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.graph.TestNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jobs over a chain of nodes, which take nodes out of it at their end. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobGraphTest {
  private JobWorld world;
  private TestGraph test;
  private TestNode base;
  private TestNode middle;
  private TestNode top;
  private BlockBackend backend;
  private BackendLane lane;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
    test = world.test;
    base = test.node("base");
    middle = backed("middle", base);
    top = backed("top", middle);
    backend = test.use(top, new TestGraph.User("guest"));
    lane = test.lane(backend, test.io0);
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  private TestNode backed(String name, BlockNode backing) throws Exception {
    TestNode node = test.node(name);
    test.control(() -> node.over(backing, "backing", ChildRole.BACKING));
    return node;
  }

  private void move(boolean onIothread) throws Exception {
    if (onIothread) {
      test.control(() -> ContextChange.run(top, test.io1.context()));
    }
  }

  /** Has whoever stands on the middle stand on the base, and closes the middle. */
  private void dropMiddle() {
    try {
      GraphChange change = new GraphChange();
      change.replace(middle, base);
      change.run();
      test.graph.close(middle);
    } catch (BlockException e) {
      throw new AssertionError(e);
    }
  }

  /** The second node has come to the first one's context, and goes back, with its user. */
  @Test
  void aRefusedJobLeavesItsNodesWhereTheyWere() throws Exception {
    TestNode other = test.node("other");
    test.control(
        () -> {
          new BlockBackend(other, new TestGraph.User("owner"), Set.of(), Set.of());
          ContextChange.run(other, test.io1.context());
        });
    String refusal =
        test.refusal(() -> world.jobs.create(JobOptions.of("job"), null, new TestJob(base, other)));
    assertTrue(refusal.startsWith("Permission conflict on node 'other'"), refusal);
    assertSame(test.io1.context(), other.context());
  }

  private void assertMiddleIsGone() throws Exception {
    test.control(
        () -> {
          assertFalse(test.graph.nodes().contains(middle));
          assertSame(base, top.children().getFirst().node());
          assertEquals(1, base.parents().size());
        });
    assertEquals(0, middle.openLanes.get());
    int seen = base.submitted.get();
    assertEquals(0, TestGraph.send(lane).result.join());
    assertEquals(seen + 1, base.submitted.get());
  }

  /** A job like a commit, which takes the middle out when it is over. */
  private TestJob committing() throws Exception {
    TestJob job = new TestJob(base, top).reading();
    job.link = middle.children().getFirst();
    job.onEnd =
        what -> {
          if (what.equals("clean")) {
            // The nodes and the frozen link have to be given back first.
            job.giveBackNodes();
            dropMiddle();
          }
        };
    return world.start("commit", job);
  }

  /** The section's end is what lets the job finish, and the job changes what was drained. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aCommitFinishesWhenASectionEnds(boolean onIothread) throws Exception {
    move(onIothread);
    TestJob job = committing();
    while (job.rounds.get() < 3) {
      Thread.onSpinWait();
    }
    test.control(
        () -> {
          DrainedSection outer = DrainedSection.begin(List.of(middle, base));
          DrainedSection inner = DrainedSection.begin(base);
          job.succeed();
          assertEquals(List.of("run", "paused"), job.calls);
          inner.close();
          assertSame(base, middle.children().getFirst().node());
          outer.close();
          // Its end is control work, as this is.
          assertSame(base, middle.children().getFirst().node());
        });
    assertEquals(Optional.empty(), world.ended("commit").error());
    assertMiddleIsGone();
  }

  /** While the change waits for what is in flight, the work of a job on the same nodes ends. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void intermediatesAreDroppedWhileAJobOnTheirBaseEnds(boolean onIothread) throws Exception {
    move(onIothread);
    TestNode bystander = backed("bystander", middle);
    TestJob job = new TestJob(base);
    job.onEnd =
        what -> {
          if (what.equals("commit")) {
            closeInJob(bystander);
          }
        };
    world.start("job", job);
    base.keeps = true;
    TestRequest request = TestGraph.send(lane);
    TestNode.Kept kept = JobWorld.await(base);
    base.events.clear();
    CompletableFuture<Void> dropped =
        test.mainLoop.start(
            "drop",
            () -> {
              dropMiddle();
              return null;
            });
    while (!base.events.contains("begin")) {
      Thread.onSpinWait();
    }
    job.succeed();
    assertFalse(dropped.isDone());
    base.keeps = false;
    kept.complete(0);
    dropped.join();
    assertEquals(0, request.result.join());
    assertEquals(Optional.empty(), world.ended("job").error());
    test.control(() -> assertEquals(List.of(base, top), test.graph.nodes()));
    assertMiddleIsGone();
  }

  private void closeInJob(BlockNode node) {
    try {
      test.graph.close(node);
    } catch (BlockException e) {
      throw new AssertionError(e);
    }
  }
}
