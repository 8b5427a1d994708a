// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.TestNode;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Disks that move under a job, in every state that the job may be in meanwhile. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobMoveTest extends CopyFixture {
  private static final String MOVABLE = "CREATED|RUNNING|PAUSED|READY|STANDBY|PENDING";

  /** To both iothreads and the main loop; the state is the same before and after each move. */
  private void moveAround(BlockNode node, JobStatus status) throws Exception {
    AioContext[] targets = {
      world.test.io0.context(),
      world.test.io1.context(),
      world.test.mainLoop.context(),
      world.test.io1.context()
    };
    for (AioContext context : targets) {
      world.test.control(() -> ContextChange.run(node, context));
      assertSame(context, node.context());
      world.awaitStatus("job", status);
    }
  }

  private void bringTo(JobStatus status) throws Exception {
    if (status == JobStatus.CREATED) {
      return;
    }
    start(JobOptions.of("job"));
    switch (status) {
      case RUNNING -> {}
      case PAUSED -> world.monitor(monitor -> monitor.pause("job"));
      case READY -> world.awaitStatus("job", JobStatus.READY);
      case STANDBY -> {
        world.awaitStatus("job", JobStatus.READY);
        world.monitor(monitor -> monitor.pause("job"));
      }
      default -> throw new IllegalArgumentException("" + status);
    }
    world.awaitStatus("job", status);
  }

  @ParameterizedTest
  @EnumSource(names = MOVABLE, mode = EnumSource.Mode.MATCH_ANY)
  void aJobGoesOnWhereItsNodesAre(JobStatus status) throws Exception {
    TestNode node = world.test.node("node");
    TestNode other = world.test.node("other");
    TestJob job = new TestJob(node, other).reading();
    job.becomesReady = status == JobStatus.READY || status == JobStatus.STANDBY;
    world.create(JobOptions.of("job").finalizedByUser(), job);
    if (status == JobStatus.PENDING) {
      job.succeed();
      start(JobOptions.of("job"));
      world.awaitStatus("job", JobStatus.PENDING);
    } else {
      bringTo(status);
    }
    moveAround(node, status);
    assertSame(world.test.io1.context(), other.context());
    // At the end it does I/O of its own, where its nodes are.
    job.onPrepare =
        () -> {
          assertEquals("io1", job.backends[0].lane().context().name());
          assertEquals(0, job.backends[0].flush());
          assertEquals(0, job.backends[1].flush());
        };
    if (status != JobStatus.PENDING) {
      goOn(status);
      long rounds = job.rounds.get();
      while (job.rounds.get() < rounds + 2) {
        Thread.onSpinWait();
      }
      assertEquals("io1", job.contexts.getLast());
      job.succeed();
      world.awaitStatus("job", JobStatus.PENDING);
    }
    world.monitor(monitor -> monitor.finalizeJob("job"));
    assertEquals(Optional.empty(), world.ended("job").error());
    assertEquals(0, node.openLanes.get());
    assertEquals(0, other.openLanes.get());
    assertEquals(List.of(), node.parents());
  }

  private void goOn(JobStatus status) throws Exception {
    switch (status) {
      case CREATED -> start(JobOptions.of("job"));
      case PAUSED, STANDBY -> world.monitor(monitor -> monitor.resume("job"));
      default -> {}
    }
  }

  /** What was opened for the move is closed again, and the job goes on where it was. */
  @Test
  void aMoveThatFailsHalfWay() throws Exception {
    TestNode node = world.test.node("node");
    TestNode other = world.test.node("other");
    TestJob job = world.create(JobOptions.of("job"), new TestJob(node, other).reading());
    other.onCallback =
        callback -> {
          if (callback.equals("makeLane")) {
            throw new IllegalStateException("planted");
          }
        };
    AioContext io0 = world.test.io0.context();
    assertThrows(
        IllegalStateException.class, () -> world.test.control(() -> ContextChange.run(node, io0)));
    other.onCallback = callback -> {};
    assertEquals(1, node.openLanes.get());
    assertEquals(1, other.openLanes.get());
    assertSame(world.test.mainLoop.context(), node.context());
    world.test.control(() -> ContextChange.run(node, io0));
    assertSame(io0, other.context());
    start(JobOptions.of("job"));
    job.succeed();
    assertEquals(Optional.empty(), world.ended("job").error());
    assertEquals(List.of(), node.parents());
    assertEquals(List.of(), other.parents());
  }

  @ParameterizedTest
  @EnumSource(names = MOVABLE, mode = EnumSource.Mode.MATCH_ANY)
  void aMirrorIsTheSameWhereverTheDiskHasBeen(JobStatus status) throws Exception {
    // It does not get ready where it is to be found at work.
    boolean slow = status == JobStatus.RUNNING || status == JobStatus.PAUSED;
    JobOptions job = JobOptions.of("job").finalizedByUser().atSpeed(slow ? 1 : 0);
    MirrorOptions options = MirrorOptions.of(job, SyncMode.FULL, CopyMode.WRITE_BLOCKING);
    world.create(job, new MirrorJob(world.test.graph, source, target, options));
    guest.startWriting(status.ordinal());
    if (status == JobStatus.PENDING) {
      bringTo(JobStatus.READY);
      world.monitor(monitor -> monitor.cancel("job", false));
      world.awaitStatus("job", JobStatus.PENDING);
    } else {
      bringTo(status);
    }
    guest.awaitWrites(10);
    moveAround(source, status);
    assertSame(source.context(), target.context());
    guest.awaitWrites(10);
    if (status != JobStatus.PENDING) {
      goOn(status);
      world.monitor(monitor -> monitor.setSpeed("job", 0));
      world.awaitEvent(JobEvent.Ready.class, "job");
      world.awaitStatus("job", JobStatus.READY);
      world.monitor(monitor -> monitor.cancel("job", false));
      world.awaitStatus("job", JobStatus.PENDING);
    }
    guest.awaitWrites(10);
    guest.stop();
    world.monitor(monitor -> monitor.finalizeJob("job"));
    assertEquals(Optional.empty(), world.ended("job").error());
    assertArrayEquals(images.bytes("source"), images.bytes("target"));
    assertOnlyTheTwoNodesAreLeft();
  }
}
