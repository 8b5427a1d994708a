// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.TestNode;
import dev.spindle.linux.Errno;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JobTest {
  private static final JobOptions KEPT = JobOptions.of("job").dismissedByUser();

  private JobWorld world;

  @BeforeEach
  void start() throws Exception {
    world = new JobWorld();
  }

  @AfterEach
  void stop() throws Exception {
    world.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1job", "-job", "jo b", "job/0", "jöb"})
  void refusesWhatIsNoId(String id) {
    BlockException refusal =
        assertThrows(BlockException.class, () -> world.create(JobOptions.of(id), new TestJob()));
    assertEquals("Invalid job ID '" + id + "'", refusal.getMessage());
  }

  @Test
  void anIdIsInUseUntilItsJobIsDismissed() throws Exception {
    JobOptions options = JobOptions.of("a.b-c_D9").dismissedByUser();
    TestJob first = world.start(options, null, new TestJob());
    assertInUse(options);
    first.succeed();
    world.awaitStatus(options.id(), JobStatus.CONCLUDED);
    assertInUse(options);
    world.monitor(monitor -> monitor.dismiss(options.id()));
    world.create(options, new TestJob());
  }

  private void assertInUse(JobOptions options) {
    BlockException refusal =
        assertThrows(BlockException.class, () -> world.create(options, new TestJob()));
    assertEquals("Job ID '" + options.id() + "' already in use", refusal.getMessage());
  }

  @Test
  void aJobThatCannotOpenNeverWas() throws Exception {
    TestNode node = world.test.node("node");
    TestJob job = new TestJob(node);
    job.failsToOpen = "no";
    assertThrows(BlockException.class, () -> world.create(KEPT, job));
    assertEquals(List.of(), node.parents());
    world.refused("Job 'job' not found", monitor -> monitor.query("job"));
    world.create(KEPT, new TestJob(node));
  }

  @Test
  void succeeds() throws Exception {
    TestJob job = world.start(KEPT, null, new TestJob());
    job.succeed();
    world.awaitStatus("job", JobStatus.CONCLUDED);
    assertEquals(List.of("run", "done", "prepare", "commit", "clean"), job.calls);
    assertEquals(
        List.of(
            JobStatus.CREATED,
            JobStatus.RUNNING,
            JobStatus.WAITING,
            JobStatus.PENDING,
            JobStatus.CONCLUDED),
        world.statuses("job"));
    assertEquals(Optional.empty(), world.query("job").error());
    assertEquals(Optional.empty(), world.awaitEvent(JobEvent.Completed.class, "job").job().error());
    assertFalse(world.saw(JobEvent.Pending.class, "job"));
  }

  @Test
  void aListenerThatThrowsHarmsNoJob() throws Exception {
    world.jobs.listen(
        event -> {
          throw new OutOfMemoryError("planted");
        });
    TestJob job = world.start("job", new TestJob());
    job.succeed();
    assertEquals(Optional.empty(), world.ended("job").error());
    assertEquals("clean", job.calls.getLast());
  }

  /** It might wait there for a virtual thread of its own. */
  @Test
  void aContextsOwnThreadMayNotTakeTheMutex() {
    AioContext io0 = world.test.io0.context();
    assertThrows(IllegalStateException.class, () -> io0.call(this::listen));
    CompletableFuture<Void> onVirtual = new CompletableFuture<>();
    io0.startVirtual("listen", () -> onVirtual.complete(listen()));
    assertNull(onVirtual.join());
  }

  private Void listen() {
    world.jobs.listen(event -> {});
    return null;
  }

  @Test
  void fails() throws Exception {
    TestJob job = world.start("job", new TestJob());
    job.fail("the disk is gone");
    assertEquals(Optional.of("the disk is gone"), world.ended("job").error());
    assertEquals(List.of("run", "done", "abort", "clean"), job.calls);
    assertEquals(
        List.of(
            JobStatus.CREATED,
            JobStatus.RUNNING,
            JobStatus.ABORTING,
            JobStatus.CONCLUDED,
            JobStatus.NULL),
        world.statuses("job"));
  }

  @Test
  void failsWhenItCannotBePrepared() throws Exception {
    TestJob job = new TestJob();
    job.failsToPrepare = "no";
    world.start("job", job).succeed();
    assertEquals(Optional.of("no"), world.ended("job").error());
    assertEquals(List.of("run", "done", "prepare", "abort", "clean"), job.calls);
  }

  @Test
  void waitsToBeFinalizedAndDismissed() throws Exception {
    JobOptions options = KEPT.finalizedByUser();
    TestJob job = world.start(options, null, new TestJob());
    job.succeed();
    assertEquals("test", world.awaitEvent(JobEvent.Pending.class, "job").type());
    assertEquals(List.of("run", "done"), job.calls);
    world.monitor(
        monitor -> {
          monitor.finalizeJob("job");
          assertEquals(JobStatus.CONCLUDED, monitor.query("job").status());
          monitor.dismiss("job");
          assertEquals(List.of(), monitor.query());
        });
    assertEquals(List.of("run", "done", "prepare", "commit", "clean"), job.calls);
  }

  @Test
  void cancelledBeforeItsStartItNeverRuns() throws Exception {
    TestJob job = world.create(KEPT, new TestJob());
    world.monitor(monitor -> monitor.cancel("job", false));
    assertEquals(List.of("cancel", "abort", "clean"), job.calls);
    // Nobody has seen it at work: it does not stay to be dismissed, and no end is told.
    assertEquals(JobStatus.NULL, world.statuses("job").getLast());
    assertFalse(world.saw(JobEvent.Cancelled.class, "job"));
  }

  @Test
  void cancelledAtWork() throws Exception {
    TestJob job = world.start("job", new TestJob());
    world.monitor(monitor -> monitor.cancel("job", false));
    assertCancelled(job);
  }

  @Test
  void cancelledInAPause() throws Exception {
    TestJob job = world.start("job", new TestJob());
    pause(JobStatus.PAUSED);
    world.refused(
        "Job 'job' is paused: resume it first, or cancel by force",
        monitor -> monitor.cancel("job", false));
    world.monitor(monitor -> monitor.cancel("job", true));
    assertCancelled(job);
  }

  @Test
  void cancelledWhenReady() throws Exception {
    TestJob job = world.start("job", new TestJob().becomingReady());
    world.awaitStatus("job", JobStatus.READY);
    world.monitor(monitor -> monitor.cancel("job", false));
    assertCancelled(job);
  }

  @Test
  void cancelledInStandby() throws Exception {
    TestJob job = world.start("job", new TestJob().becomingReady());
    world.awaitStatus("job", JobStatus.READY);
    pause(JobStatus.STANDBY);
    world.monitor(monitor -> monitor.cancel("job", true));
    assertCancelled(job);
  }

  @Test
  void cancelledGentlyWhenReadyItMayEndWell() throws Exception {
    TestJob job = new TestJob().becomingReady();
    job.endsWellWhenReady = true;
    world.start("job", job);
    world.awaitStatus("job", JobStatus.READY);
    world.monitor(monitor -> monitor.cancel("job", false));
    assertEquals(Optional.empty(), world.ended("job").error());
    assertEquals(List.of("run", "cancel", "done", "prepare", "commit", "clean"), job.calls);
  }

  @Test
  void cancelledByForceWhenReadyItFails() throws Exception {
    TestJob job = new TestJob().becomingReady();
    job.endsWellWhenReady = true;
    world.start("job", job);
    world.awaitStatus("job", JobStatus.READY);
    world.monitor(monitor -> monitor.cancel("job", true));
    assertCancelled(job);
  }

  @Test
  void cancelledWhilePending() throws Exception {
    TestJob job = world.start(JobOptions.of("job").finalizedByUser(), null, new TestJob());
    job.succeed();
    world.awaitEvent(JobEvent.Pending.class, "job");
    world.monitor(monitor -> monitor.cancel("job", false));
    assertCancelled(job);
  }

  @Test
  void cannotBeCancelledOnceItIsOver() throws Exception {
    world.start(KEPT, null, new TestJob()).succeed();
    world.awaitStatus("job", JobStatus.CONCLUDED);
    world.refused(
        "Job 'job' in state 'concluded' cannot accept command verb 'cancel'",
        monitor -> monitor.cancel("job", true));
  }

  private void assertCancelled(TestJob job) throws Exception {
    world.awaitGone("job");
    assertEquals(
        Optional.of("Operation canceled"),
        world.awaitEvent(JobEvent.Cancelled.class, "job").job().error());
    assertFalse(world.saw(JobEvent.Completed.class, "job"));
    assertEquals(
        List.of("abort", "clean"), job.calls.subList(job.calls.size() - 2, job.calls.size()));
    assertFalse(job.calls.contains("prepare"));
    List<JobStatus> statuses = world.statuses("job");
    assertEquals(
        List.of(JobStatus.ABORTING, JobStatus.CONCLUDED, JobStatus.NULL),
        statuses.subList(statuses.size() - 3, statuses.size()));
  }

  private void pause(JobStatus then) throws Exception {
    world.monitor(monitor -> monitor.pause("job"));
    world.awaitStatus("job", then);
  }

  @Test
  void pausesAndGoesOn() throws Exception {
    TestJob job = world.start("job", new TestJob());
    pause(JobStatus.PAUSED);
    world.refused("Job 'job' is already paused", monitor -> monitor.pause("job"));
    long rounds = job.rounds.get();
    job.succeed();
    assertTrue(world.query("job").paused());
    assertEquals(rounds, job.rounds.get());
    world.monitor(monitor -> monitor.resume("job"));
    world.ended("job");
    assertEquals(List.of("run", "paused", "resumed", "done"), job.calls.subList(0, 4));
    assertEquals(
        List.of(JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.RUNNING, JobStatus.WAITING),
        world.statuses("job").subList(1, 5));
  }

  @Test
  void whatIsNotPausedCannotBeResumed() throws Exception {
    world.start("job", new TestJob());
    world.refused("Can't resume job 'job', which was not paused", m -> m.resume("job"));
  }

  @Test
  void pausedBeforeItsStartItBeginsWhenResumed() throws Exception {
    TestJob job = world.create(KEPT, new TestJob());
    assertFalse(world.query("job").paused());
    world.monitor(monitor -> monitor.pause("job"));
    assertTrue(world.query("job").paused());
    world.test.control(() -> world.jobs.start("job"));
    world.awaitStatus("job", JobStatus.PAUSED);
    assertFalse(job.calls.contains("run"));
    world.monitor(monitor -> monitor.resume("job"));
    job.succeed();
    world.awaitStatus("job", JobStatus.CONCLUDED);
  }

  @Test
  void completesWhenReady() throws Exception {
    TestJob job = world.start("job", new TestJob().becomingReady());
    assertEquals(JobStatus.READY, world.awaitEvent(JobEvent.Ready.class, "job").job().status());
    world.monitor(monitor -> monitor.complete("job"));
    assertEquals(Optional.empty(), world.ended("job").error());
    assertEquals("commit", job.calls.get(job.calls.size() - 2));
  }

  @Test
  void completedInStandbyItEndsOnceItMayGoOn() throws Exception {
    TestJob job = world.start("job", new TestJob().becomingReady());
    world.awaitStatus("job", JobStatus.READY);
    pause(JobStatus.STANDBY);
    world.monitor(monitor -> monitor.complete("job"));
    assertEquals(JobStatus.STANDBY, world.status("job"));
    assertFalse(job.calls.contains("done"));
    world.monitor(monitor -> monitor.resume("job"));
    assertEquals(Optional.empty(), world.ended("job").error());
  }

  @Test
  void refusesANegativeSpeedAndTakesAnother() throws Exception {
    world.start(KEPT.atSpeed(4096), null, new TestJob());
    assertEquals(4096, world.query("job").speed());
    String sentence = "Parameter 'speed' expects a non-negative value";
    world.refused(sentence, monitor -> monitor.setSpeed("job", -1));
    world.monitor(monitor -> monitor.setSpeed("job", 1 << 20));
    assertEquals(1 << 20, world.query("job").speed());
    BlockException refusal =
        assertThrows(
            BlockException.class,
            () -> world.create(JobOptions.of("other").atSpeed(-1), new TestJob()));
    assertEquals(sentence, refusal.getMessage());
  }

  @Test
  void aJobOnANodeThatAnotherWorksOnIsRefused() throws Exception {
    TestNode node = world.test.node("node");
    world.start("job", new TestJob(node));
    TestJob second = new TestJob(world.test.node("free"), node);
    BlockException refusal =
        assertThrows(BlockException.class, () -> world.create(JobOptions.of("second"), second));
    assertEquals(
        "Node 'node' is busy: block device is in use by block job: test", refusal.getMessage());
    assertEquals(1, node.parents().size());
    assertEquals(List.of(), second.nodes[0].parents());
  }

  @Test
  void aNodeCannotBeClosedUnderAJobAndCanAfterwards() throws Exception {
    TestNode node = world.test.node("node");
    TestJob job = world.start("job", new TestJob(node));
    BlockException refusal =
        assertThrows(
            BlockException.class, () -> world.test.control(() -> world.test.graph.close(node)));
    assertEquals("Node 'node' is in use by test job 'job'", refusal.getMessage());
    job.succeed();
    world.ended("job");
    world.test.control(() -> world.test.graph.close(node));
  }

  @ParameterizedTest
  @ValueSource(strings = {"REPORT", "IGNORE", "STOP", "ENOSPC"})
  void errorsGoByThePolicy(String name) throws Exception {
    ErrorPolicy policy = ErrorPolicy.valueOf(name);
    TestNode node = world.test.node("node");
    node.keeps = true;
    JobOptions options = JobOptions.of("job").onErrors(policy, ErrorPolicy.REPORT);
    TestJob job = world.start(options, null, new TestJob(node).reading());
    boolean stops = policy == ErrorPolicy.STOP || policy == ErrorPolicy.ENOSPC;
    ErrorAction action = stops ? ErrorAction.STOP : ErrorAction.valueOf(policy.name());
    JobWorld.await(node).complete(-Errno.ENOSPC);
    assertEquals(
        new JobEvent.IoError("job", false, Errno.ENOSPC, action),
        world.awaitEvent(JobEvent.IoError.class, "job"));
    if (action == ErrorAction.REPORT) {
      assertEquals(Optional.of("read failed"), world.ended("job").error());
      return;
    }
    if (stops) {
      world.awaitStatus("job", JobStatus.PAUSED);
      assertEquals(JobIoStatus.NOSPACE, world.query("job").ioStatus());
      world.monitor(monitor -> monitor.resume("job"));
      assertEquals(JobIoStatus.OK, world.query("job").ioStatus());
    }
    TestNode.Kept again = JobWorld.await(node);
    job.succeed();
    again.complete(0);
    assertEquals(Optional.empty(), world.ended("job").error());
  }

  @Test
  void anotherErrorThanNoSpaceIsReported() {
    assertEquals(ErrorAction.REPORT, ErrorPolicy.ENOSPC.action(Errno.EIO));
  }
}
