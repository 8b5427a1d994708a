// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.linux.Errno;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CommitTest extends ChainFixture {
  private void start(CommitOptions options) throws Exception {
    world.test.control(
        () -> {
          world.jobs.create(options.job(), null, options.job(world.test.graph, top));
          world.jobs.start(options.job().id());
        });
  }

  private void commitAndPivot(CommitOptions options) throws Exception {
    start(options);
    world.awaitEvent(JobEvent.Ready.class, "job0");
    world.monitor(monitor -> monitor.complete("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
  }

  @Test
  void aMiddlePartIsCommitted() throws Exception {
    start(CommitOptions.of(JOB, "middle", "lower"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertEquals(List.of("top", "lower", "base"), chain());
    assertEquals(
        Optional.of(new BackingName("/layers/lower", Optional.of("layer"))), top.backingFile());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  /** What the middle one is too short for has to read as zeroes below as well. */
  @Test
  void anImageThatEndsEarlierIsCommittedWithItsZeroes() throws Exception {
    start(CommitOptions.of(JOB, "middle", "base"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertEquals(List.of("top", "base"), chain());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void aPivotPutsTheBaseInTheDisksPlace() throws Exception {
    guest.startWriting(5);
    start(CommitOptions.of(JOB, "top", "base"));
    guest.awaitWrites(50);
    world.awaitEvent(JobEvent.Ready.class, "job0");
    guest.awaitWrites(50);
    world.monitor(monitor -> monitor.complete("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    guest.awaitWrites(50);
    guest.stop();
    assertEquals(List.of("base"), chain());
    assertArrayEquals(base.seen(), guest.read(0, LENGTH));
  }

  @Test
  void aPivotShowsWhatTheChainShowed() throws Exception {
    commitAndPivot(CommitOptions.of(JOB, "top", "lower"));
    assertEquals(List.of("lower", "base"), chain());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void withoutAPivotTheChainStays() throws Exception {
    String before = world.test.picture();
    start(CommitOptions.of(JOB, "top", "base"));
    world.awaitEvent(JobEvent.Ready.class, "job0");
    world.monitor(monitor -> monitor.cancel("job0", false));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertEquals(before, world.test.picture());
    assertArrayEquals(model, guest.read(0, LENGTH));
    assertArrayEquals(model, base.seen());
  }

  @Test
  void aCancelledCommitLeavesTheChainAsItWas() throws Exception {
    for (String upper : List.of("top", "middle")) {
      String before = world.test.picture();
      start(CommitOptions.of(JOB.atSpeed(1), upper, "base"));
      world.monitor(monitor -> monitor.cancel("job0", true));
      world.forget("job0");
      assertEquals(before, world.test.picture());
      assertArrayEquals(model, guest.read(0, LENGTH));
    }
  }

  @Test
  void aShortBaseGrows() throws Exception {
    LayerDisk small = LayerDisk.add(world.test, "small", null, LENGTH / 2).fill(0, 100, 6);
    LayerDisk mid = LayerDisk.add(world.test, "mid", small, LENGTH).fill(SECTORS - 10, 5, 7);
    LayerDisk over = LayerDisk.add(world.test, "over", mid, LENGTH).fill(3, 5, 8);
    byte[] seen = over.seen();
    world.test.control(guest::leave);
    guest = new dev.spindle.block.job.Guest(world, over);
    top = over;
    start(CommitOptions.of(JOB, "mid", "small"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    world.forget("job0");
    assertEquals(LENGTH, small.length());
    assertArrayEquals(seen, guest.read(0, LENGTH));
    commitAndPivot(CommitOptions.of(JOB, "over", "small"));
    assertArrayEquals(seen, guest.read(0, LENGTH));
    assertEquals(List.of("small"), chain());
  }

  @Test
  void nobodyElseMayRelyOnTheBaseMeanwhile() throws Exception {
    LayerDisk other = LayerDisk.add(world.test, "other", base, LENGTH);
    BlockBackend reader = world.test.use(other, new TestGraph.User("reader"));
    for (String upper : List.of("top", "middle")) {
      String before = world.test.picture();
      CommitOptions options = CommitOptions.of(JOB, upper, "base");
      assertThrows(BlockException.class, () -> start(options));
      assertEquals(before, world.test.picture());
    }
    world.test.control(reader::close);
    start(CommitOptions.of(JOB.finalizedByUser(), "middle", "base"));
    world.awaitStatus("job0", JobStatus.PENDING);
    assertThrows(BlockException.class, () -> world.test.use(other, new TestGraph.User("reader")));
    world.test.control(
        () -> {
          BlockEdge link = lower.children().getFirst();
          GraphChange change = new GraphChange();
          change.detach(link);
          assertEquals(
              "Cannot change 'backing' link from node 'lower' to 'base': commit job 'job0' relies"
                  + " on it",
              assertThrows(BlockException.class, change::run).getMessage());
        });
    world.monitor(monitor -> monitor.finalizeJob("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
  }

  @Test
  void anImageThatCannotBeToldKeepsItsChain() throws Exception {
    top.mute = "no room in the header";
    String before = world.test.picture();
    start(CommitOptions.of(JOB, "middle", "lower"));
    assertEquals(Optional.of("no room in the header"), world.ended("job0").error());
    assertEquals(before, world.test.picture());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void errorsFollowThePolicy() throws Exception {
    String before = world.test.picture();
    base.errno = Errno.ENOSPC;
    JobOptions reporting = JOB;
    start(CommitOptions.of(reporting, "lower", "base"));
    assertEquals(
        Optional.of("Writing to node 'base' failed: No space left on device"),
        world.ended("job0").error());
    assertEquals(before, world.test.picture());
    world.forget("job0");
    start(CommitOptions.of(JOB.onErrors(ErrorPolicy.ENOSPC, ErrorPolicy.ENOSPC), "lower", "base"));
    world.awaitStatus("job0", JobStatus.PAUSED);
    base.errno = 0;
    world.monitor(monitor -> monitor.resume("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void whatIsNotInTheChainIsRefused() throws Exception {
    refused(
        "Node 'middle' is not a backing image of 'lower'",
        () -> CommitOptions.of(JOB, "lower", "middle").job(world.test.graph, top));
    refused(
        "Node 'base' is not a backing image of 'base'",
        () -> CommitOptions.of(JOB, "base", "base").job(world.test.graph, top));
    LayerDisk.add(world.test, "other", null, LENGTH);
    refused(
        "Node 'other' is not in the backing chain of 'top'",
        () -> CommitOptions.of(JOB, "top", "other").job(world.test.graph, top));
    CommitOptions named =
        new CommitOptions(
            JOB,
            Optional.empty(),
            Optional.empty(),
            Optional.of("/layers/base"),
            Optional.empty(),
            Optional.of("words"),
            Optional.empty());
    refused(
        "'backing-file' specified, but 'top' is the active layer",
        () -> named.job(world.test.graph, top));
  }
}
