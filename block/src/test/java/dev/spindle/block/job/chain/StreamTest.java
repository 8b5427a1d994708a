// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.JobTransaction;
import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StreamTest extends ChainFixture {
  private JobInfo stream(BlockNode node, StreamOptions options) throws Exception {
    world.start(options.job(), null, new StreamJob(world.test.graph, node, options));
    return world.ended(options.job().id());
  }

  private static BitSet union(LayerDisk... disks) {
    BitSet all = new BitSet();
    for (LayerDisk disk : disks) {
      all.or(disk.held);
    }
    return all;
  }

  @Test
  void aStreamLeavesTheNodeAlone() throws Exception {
    JobInfo info = stream(top, StreamOptions.of(JOB));
    assertEquals(Optional.empty(), info.error());
    assertEquals(LENGTH, info.current());
    assertEquals(List.of("top"), chain());
    assertEquals(Optional.empty(), top.backingFile());
    assertEquals(SECTORS, top.held.cardinality());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void aBaseStaysAndIsNamed() throws Exception {
    assertEquals(Optional.empty(), stream(top, StreamOptions.of(JOB).onto("base")).error());
    assertEquals(List.of("top", "base"), chain());
    assertEquals(
        Optional.of(new BackingName("/layers/base", Optional.of("layer"))), top.backingFile());
    assertArrayEquals(model, guest.read(0, LENGTH));
    BitSet expected = union(top, lower, middle);
    // The middle one is shorter: what it lacks reads as zeroes, and must go on to.
    expected.set(SECTORS - MISSING, SECTORS);
    assertEquals(expected, top.held);
  }

  @Test
  void aBaseMayBeNamedByItsFileOrByWhatIsAbove() throws Exception {
    StreamOptions plain = StreamOptions.of(JOB);
    StreamOptions byFile =
        new StreamOptions(
            JOB,
            Optional.of("/layers/lower"),
            Optional.empty(),
            Optional.empty(),
            Optional.of("other-words"),
            Optional.of("copier"));
    assertEquals(Optional.empty(), stream(top, byFile).error());
    assertEquals(List.of("top", "lower", "base"), chain());
    assertEquals("other-words", top.backingFile().orElseThrow().file());
    world.forget("job0");
    StreamOptions byBottom =
        new StreamOptions(
            JOB,
            Optional.empty(),
            Optional.empty(),
            Optional.of("lower"),
            Optional.empty(),
            plain.filterNodeName());
    assertEquals(Optional.empty(), stream(top, byBottom).error());
    assertEquals(List.of("top", "base"), chain());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void anIntermediateNodeIsStreamedInto() throws Exception {
    byte[] before = middle.seen();
    assertEquals(Optional.empty(), stream(middle, StreamOptions.of(JOB)).error());
    assertEquals(List.of("top", "middle"), chain());
    assertArrayEquals(before, middle.seen());
    assertArrayEquals(model, guest.read(0, LENGTH));
    assertEquals(53, top.held.cardinality());
  }

  /** Written, zeroed and moved meanwhile. */
  @Test
  void aGuestWritesMeanwhile() throws Exception {
    guest.startWriting(3);
    JobOptions slow = JOB.atSpeed(1);
    world.start(
        slow, null, new StreamJob(world.test.graph, top, StreamOptions.of(slow).onto("base")));
    for (int i = 0; i < 6; i++) {
      guest.awaitWrites(20);
      var target = i % 2 == 0 ? world.test.io1 : world.test.io0;
      world.test.control(() -> ContextChange.run(guest.backend.node(), target.context()));
    }
    world.monitor(monitor -> monitor.setSpeed("job0", 0));
    assertEquals(Optional.empty(), world.ended("job0").error());
    guest.stop();
    assertEquals(List.of("top", "base"), chain());
    assertArrayEquals(top.seen(), guest.read(0, LENGTH));
  }

  @Test
  void aWriteIsNotLostUnderWhatIsCopied() throws Exception {
    JobOptions slow = JOB.atSpeed(1);
    world.start(slow, null, new StreamJob(world.test.graph, top, StreamOptions.of(slow)));
    byte[] data = new byte[4096];
    Arrays.fill(data, (byte) 77);
    for (int offset = 0; offset < LENGTH; offset += 64 << 10) {
      assertEquals(0, guest.write(offset, data));
      Arrays.fill(model, offset, offset + 4096, (byte) 77);
    }
    world.monitor(monitor -> monitor.setSpeed("job0", 0));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertArrayEquals(model, guest.read(0, LENGTH));
    assertArrayEquals(model, top.seen());
  }

  @Test
  void aCancelledStreamLeavesTheChainAsItWas() throws Exception {
    String before = world.test.picture();
    JobOptions slow = JOB.atSpeed(1);
    world.start(slow, null, new StreamJob(world.test.graph, top, StreamOptions.of(slow)));
    world.monitor(monitor -> monitor.cancel("job0", false));
    world.awaitGone("job0");
    assertEquals(before, world.test.picture());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void theLinksAreFrozenMeanwhileAndTheNodesTaken() throws Exception {
    JobOptions manual = JOB.finalizedByUser();
    world.start(
        manual, null, new StreamJob(world.test.graph, top, StreamOptions.of(manual).onto("base")));
    world.awaitStatus("job0", JobStatus.PENDING);
    world.test.control(
        () -> {
          BlockEdge link = middle.children().getFirst();
          GraphChange change = new GraphChange();
          change.redirect(link, base);
          assertEquals(
              "Cannot change 'backing' link from node 'middle' to 'lower': stream job 'job0' relies"
                  + " on it",
              assertThrows(BlockException.class, change::run).getMessage());
        });
    refused(
        "Node 'lower' is busy: block device is in use by block job: stream",
        () ->
            world.jobs.create(
                JobOptions.of("job1"),
                null,
                new StreamJob(world.test.graph, lower, StreamOptions.of(JobOptions.of("job1")))));
    world.monitor(monitor -> monitor.finalizeJob("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertFalse(world.test.get(() -> top.children().getFirst().isFrozen()));
  }

  @Test
  void anImageThatCannotBeToldKeepsItsChain() throws Exception {
    top.mute = "no room in the header";
    String before = world.test.picture();
    assertEquals(
        Optional.of("no room in the header"),
        stream(top, StreamOptions.of(JOB).onto("base")).error());
    assertEquals(before, world.test.picture());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  /** The first one's end has been prepared when the second one's fails. */
  @Test
  void withAnotherThatFailsNothingChanges() throws Exception {
    LayerDisk otherBase = LayerDisk.add(world.test, "other-base", null, LENGTH);
    LayerDisk other = LayerDisk.add(world.test, "other", otherBase, LENGTH);
    other.mute = "no room in the header";
    String before = world.test.picture();
    Optional<BackingName> named = top.backingFile();
    JobTransaction both = new JobTransaction();
    JobOptions second = JobOptions.of("job1");
    world.create(JOB, both, new StreamJob(world.test.graph, top, StreamOptions.of(JOB)));
    world.create(second, both, new StreamJob(world.test.graph, other, StreamOptions.of(second)));
    world.test.control(
        () -> {
          world.jobs.start("job0");
          world.jobs.start("job1");
        });
    world.awaitGone("job0");
    assertEquals(Optional.of("no room in the header"), world.ended("job1").error());
    assertEquals(before, world.test.picture());
    assertEquals(named, top.backingFile());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void errorsFollowThePolicy() throws Exception {
    base.errno = Errno.EIO;
    String before = world.test.picture();
    String sentence = "Streaming into node 'top' failed: Input/output error";
    assertEquals(Optional.of(sentence), stream(top, StreamOptions.of(JOB)).error());
    assertEquals(before, world.test.picture());
    world.forget("job0");
    JobOptions ignoring = JOB.onErrors(ErrorPolicy.IGNORE, ErrorPolicy.IGNORE);
    JobInfo ignored = stream(top, StreamOptions.of(ignoring));
    assertEquals(Optional.of(sentence), ignored.error());
    assertEquals(LENGTH, ignored.current());
    assertEquals(before, world.test.picture());
    world.forget("job0");
    JobOptions stopping = JOB.onErrors(ErrorPolicy.STOP, ErrorPolicy.STOP);
    world.start(stopping, null, new StreamJob(world.test.graph, top, StreamOptions.of(stopping)));
    world.awaitStatus("job0", JobStatus.PAUSED);
    base.errno = 0;
    world.monitor(monitor -> monitor.resume("job0"));
    assertEquals(Optional.empty(), world.ended("job0").error());
    assertArrayEquals(model, guest.read(0, LENGTH));
  }

  @Test
  void whatIsNotInTheChainIsRefused() throws Exception {
    refusedStream("Node 'top' is not a backing image of 'top'", StreamOptions.of(JOB).onto("top"));
    LayerDisk.add(world.test, "other", null, LENGTH);
    refusedStream(
        "Node 'other' is not a backing image of 'top'", StreamOptions.of(JOB).onto("other"));
    refusedStream(
        "backing file specified, but streaming the entire chain",
        StreamOptions.of(JOB).naming("x"));
    refusedStream(
        "Can't find 'nowhere' in the backing chain",
        new StreamOptions(
            JOB,
            Optional.of("nowhere"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty()));
    refusedStream(
        "'base' and 'base-node' cannot be specified at the same time",
        new StreamOptions(
            JOB,
            Optional.of("x"),
            Optional.of("y"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty()));
  }

  private void refusedStream(String sentence, StreamOptions options) throws Exception {
    refused(
        sentence,
        () -> world.jobs.create(JOB, null, new StreamJob(world.test.graph, top, options)));
    assertTrue(world.test.get(() -> top.children().getFirst().node() == middle));
  }
}
