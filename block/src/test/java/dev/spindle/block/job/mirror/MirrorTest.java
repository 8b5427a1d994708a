// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.graph.TestNode;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.CopyFixture;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.ErrorAction;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobInfo;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MirrorTest extends CopyFixture {
  private static final JobOptions JOB = JobOptions.of("mirror0");

  private static MirrorOptions full(CopyMode copyMode) {
    return MirrorOptions.of(JOB, SyncMode.FULL, copyMode);
  }

  private static MirrorOptions named(JobOptions job) {
    return new MirrorOptions(
        job,
        SyncMode.FULL,
        Optional.empty(),
        BitmapMode.ON_SUCCESS,
        CopyMode.WRITE_BLOCKING,
        64 << 10,
        1,
        Optional.of("top"));
  }

  private void mirror(MirrorOptions options) throws Exception {
    mirror(target, options);
  }

  private void mirror(BlockNode to, MirrorOptions options) throws Exception {
    world.start(options.job(), null, new MirrorJob(world.test.graph, source, to, options));
  }

  private void awaitReady() throws Exception {
    world.awaitEvent(JobEvent.Ready.class, "mirror0");
  }

  private JobInfo complete() throws Exception {
    world.monitor(monitor -> monitor.complete("mirror0"));
    return world.ended("mirror0");
  }

  @ParameterizedTest
  @EnumSource
  void completedItStandsInTheSourcesPlace(CopyMode copyMode) throws Exception {
    byte[] before = images.bytes("source");
    mirror(full(copyMode));
    awaitReady();
    JobInfo end = complete();
    assertEquals(Optional.empty(), end.error());
    assertEquals(SIZE, end.current());
    assertEquals(SIZE, end.total());
    assertSame(target, world.test.get(guest.backend::node));
    assertOnlyTheTwoNodesAreLeft();
    assertEquals(0, images.compare("source", "target"));
    byte[] news = new byte[8192];
    Arrays.fill(news, (byte) 7);
    assertEquals(0, guest.write(4096, news));
    assertArrayEquals(news, guest.read(4096, news.length));
    assertArrayEquals(before, images.bytes("source"));
    assertArrayEquals(news, Arrays.copyOfRange(images.bytes("target"), 4096, 4096 + news.length));
  }

  /** Writes that overlap in place and time, from two contexts, none of which may get lost. */
  @ParameterizedTest
  @EnumSource
  void whatIsWrittenMeanwhileIsCopied(CopyMode copyMode) throws Exception {
    guest.startWriting(11);
    guest.awaitWrites(10);
    mirror(full(copyMode));
    guest.awaitWrites(50);
    awaitReady();
    guest.awaitWrites(50);
    // Without force, what is left is the source as it was at that moment, which we choose.
    guest.stop();
    world.monitor(monitor -> monitor.cancel("mirror0", false));
    assertEquals(Optional.empty(), world.ended("mirror0").error());
    assertSame(source, world.test.get(guest.backend::node));
    assertArrayEquals(images.bytes("source"), images.bytes("target"));
  }

  @ParameterizedTest
  @EnumSource
  void completesUnderAGuestThatGoesOnWriting(CopyMode copyMode) throws Exception {
    mirror(full(copyMode));
    awaitReady();
    guest.startWriting(12);
    guest.awaitWrites(20);
    assertEquals(Optional.empty(), complete().error());
    byte[] atTheEnd = images.bytes("source");
    guest.awaitWrites(20);
    guest.stop();
    // From the switch on nothing reaches the source, and all that differs has been written since.
    assertArrayEquals(atTheEnd, images.bytes("source"));
    assertArrayEquals(images.bytes("target"), guest.read(0, SIZE));
  }

  @Test
  void withoutForceTheCopyStaysAsItWas() throws Exception {
    mirror(full(CopyMode.BACKGROUND));
    awaitReady();
    byte[] last = new byte[4096];
    Arrays.fill(last, (byte) 9);
    assertEquals(0, guest.write(SIZE - 4096, last));
    byte[] moment = images.bytes("source");
    world.monitor(monitor -> monitor.cancel("mirror0", false));
    world.ended("mirror0");
    assertEquals(0, guest.write(0, last));
    assertArrayEquals(moment, images.bytes("target"));
    assertOnlyTheTwoNodesAreLeft();
  }

  @Test
  void nothingIsCopiedButWhatIsWritten() throws Exception {
    byte[] expected = images.bytes("target");
    mirror(MirrorOptions.of(JOB, SyncMode.NONE, CopyMode.BACKGROUND));
    awaitReady();
    byte[] data = new byte[256 << 10];
    new Random(5).nextBytes(data);
    assertEquals(0, guest.write(1 << 20, data));
    world.monitor(monitor -> monitor.cancel("mirror0", false));
    world.ended("mirror0");
    System.arraycopy(data, 0, expected, 1 << 20, data.length);
    assertArrayEquals(expected, images.bytes("target"));
  }

  @Test
  void copiesWhatABitmapSaysAndCleansIt() throws Exception {
    DirtyBitmaps bitmaps = source.bitmaps();
    DirtyBitmap bitmap = world.test.get(() -> bitmaps.add("b", OptionalLong.empty()));
    bitmaps.mark(1 << 20, 100);
    bitmaps.mark(SIZE - 1, 1);
    byte[] expected = images.bytes("target");
    byte[] all = images.bytes("source");
    for (int start : new int[] {1 << 20, SIZE - (64 << 10)}) {
      System.arraycopy(all, start, expected, start, 64 << 10);
    }
    MirrorOptions options =
        MirrorOptions.of(JOB, SyncMode.INCREMENTAL, CopyMode.BACKGROUND)
            .with(new SyncBitmap(bitmaps, bitmap), BitmapMode.ON_SUCCESS);
    mirror(options);
    assertTrue(bitmap.busy());
    awaitReady();
    assertEquals(128 << 10, complete().total());
    assertArrayEquals(expected, images.bytes("target"));
    assertFalse(bitmap.busy());
    assertEquals(0, bitmap.bits().dirtyBytes());
  }

  @Test
  void aBitmapIsAsBeforeWhenTheMirrorIsCancelled() throws Exception {
    DirtyBitmaps bitmaps = source.bitmaps();
    DirtyBitmap bitmap = world.test.get(() -> bitmaps.add("b", OptionalLong.empty()));
    bitmaps.mark(0, SIZE);
    MirrorOptions options =
        MirrorOptions.of(JOB, SyncMode.INCREMENTAL, CopyMode.BACKGROUND)
            .with(new SyncBitmap(bitmaps, bitmap), BitmapMode.ON_SUCCESS);
    mirror(options);
    awaitReady();
    world.monitor(monitor -> monitor.cancel("mirror0", true));
    world.awaitGone("mirror0");
    assertFalse(bitmap.busy());
    assertEquals(SIZE, bitmap.bits().dirtyBytes());
  }

  @Test
  void cancelledByForceItLeavesTheGraphAsItWas() throws Exception {
    String before = world.test.picture();
    mirror(named(JOB.atSpeed(1)));
    guest.startWriting(3);
    guest.awaitWrites(20);
    assertEquals("top", world.test.get(guest.backend::node).name());
    world.monitor(monitor -> monitor.cancel("mirror0", true));
    world.awaitEvent(JobEvent.Cancelled.class, "mirror0");
    world.awaitGone("mirror0");
    guest.awaitWrites(20);
    guest.stop();
    assertEquals(before, world.test.picture());
    assertArrayEquals(images.bytes("source"), guest.read(0, SIZE));
  }

  @ParameterizedTest
  @EnumSource
  void movesWithItsNodes(CopyMode copyMode) throws Exception {
    guest.startWriting(21);
    mirror(full(copyMode));
    AioContext[] contexts = {
      world.test.io0.context(), world.test.io1.context(), world.test.mainLoop.context()
    };
    for (int i = 0; i < 12; i++) {
      AioContext context = contexts[i % contexts.length];
      BlockNode moved = i % 2 == 0 ? source : target;
      world.test.control(() -> ContextChange.run(moved, context));
      assertSame(context, source.context());
      assertSame(context, target.context());
      guest.awaitWrites(5);
    }
    awaitReady();
    guest.stop();
    world.monitor(monitor -> monitor.cancel("mirror0", false));
    assertEquals(Optional.empty(), world.ended("mirror0").error());
    assertArrayEquals(images.bytes("source"), images.bytes("target"));
  }

  @ParameterizedTest
  @EnumSource
  void aTargetThatFailsDoesNotHarmTheGuest(CopyMode copyMode) throws Exception {
    TestNode failing = keepingTarget();
    mirror(failing, full(copyMode));
    JobWorld.await(failing).complete(-Errno.ENOSPC);
    letAllGo(failing);
    assertEquals(
        Optional.of("Writing to node 'keeping' failed: No space left on device"),
        world.ended("mirror0").error());
    assertEquals(0, guest.write(0, new byte[4096]));
    assertSame(source, world.test.get(guest.backend::node));
  }

  /** The source is done with it by then, and the target must not be left behind. */
  @Test
  void zeroesThatAreFastAtTheSourceReachASlowTarget() throws Exception {
    useInstead(LayerDisk.add(world.test, "fast", null, LayerDisk.SIZE).fill(0, 128, 1));
    LayerDisk slow = LayerDisk.add(world.test, "slow", null, LayerDisk.SIZE);
    slow.slowZeroes = true;
    mirror(slow, full(CopyMode.WRITE_BLOCKING));
    awaitReady();
    TestRequest zeroes = TestRequest.range(Operation.WRITE_ZEROES, 4096, 8192);
    zeroes.mustBeFast = true;
    assertEquals(0, guest.send(zeroes).result.join());
    assertEquals(Optional.empty(), complete().error());
    assertEquals(0, slow.seen()[4096]);
    assertArrayEquals(((LayerDisk) source).seen(), slow.seen());
  }

  /** The job and its nodes are on the context on which the write ends. */
  @Test
  void aTargetThatFailsHasNoContextWaitForTheJobMutex() throws Exception {
    TestNode failing = keepingTarget();
    failing.keeps = false;
    world.test.control(() -> ContextChange.run(source, world.test.io0.context()));
    mirror(failing, full(CopyMode.WRITE_BLOCKING));
    awaitReady();
    failing.keeps = true;
    CompletableFuture<Integer> written =
        CompletableFuture.supplyAsync(() -> guest.write(0, new byte[4096]));
    TestNode.Kept write = JobWorld.await(failing);
    failing.keeps = false;
    assertSame(world.test.io0.context(), write.context());
    CountDownLatch held = new CountDownLatch(1);
    CountDownLatch enough = new CountDownLatch(1);
    CompletableFuture<Void> holder =
        world.test.mainLoop.start(
            "hold",
            () -> {
              try (JobMonitor monitor = world.jobs.monitor()) {
                held.countDown();
                enough.await();
              }
              return null;
            });
    held.await();
    try {
      write.complete(-Errno.EIO);
      assertEquals(0, written.get());
      // What the context was about to do after that, it has done.
      CompletableFuture.runAsync(() -> {}, world.test.io0.context()).get();
    } finally {
      enough.countDown();
    }
    holder.join();
    assertEquals(
        Optional.of("Writing to node 'keeping' failed: Input/output error"),
        world.ended("mirror0").error());
  }

  @Test
  void stoppedByAnErrorItTriesAgain() throws Exception {
    TestNode failing = keepingTarget();
    JobOptions stops = JOB.onErrors(ErrorPolicy.REPORT, ErrorPolicy.STOP);
    mirror(failing, MirrorOptions.of(stops, SyncMode.FULL, CopyMode.BACKGROUND));
    JobWorld.await(failing).complete(-Errno.EIO);
    letAllGo(failing);
    assertEquals(
        new JobEvent.IoError("mirror0", true, Errno.EIO, ErrorAction.STOP),
        world.awaitEvent(JobEvent.IoError.class, "mirror0"));
    world.awaitStatus("mirror0", JobStatus.PAUSED);
    world.monitor(monitor -> monitor.resume("mirror0"));
    awaitReady();
    assertEquals(failing.length(), world.query("mirror0").total());
    assertEquals(Optional.empty(), complete().error());
  }

  private void assertRefused(String sentence, BlockNode to, MirrorOptions options)
      throws Exception {
    assertRefused(sentence, () -> mirror(to, options));
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    MirrorOptions options = full(CopyMode.BACKGROUND);
    assertRefused("Can't mirror node into itself", source, options);
    assertRefused(
        "Node 'small' has 4096 bytes, and cannot be a mirror of node 'source', which has " + SIZE,
        images.of("small", new byte[4096]),
        options);
    String range = "Parameter 'granularity' expects a value in range [512B, 64MB]";
    assertRefused(range, target, options.sized(256, 1 << 20));
    assertRefused(range, target, options.sized(128 << 20, 1 << 20));
    assertRefused(
        "Parameter 'granularity' expects a power of 2", target, options.sized(1000, 1 << 20));
    assertRefused("Invalid parameter 'buf-size'", target, options.sized(65536, 0));
    assertRefused(
        "Must provide a valid bitmap name for 'incremental' sync mode",
        target,
        MirrorOptions.of(JOB, SyncMode.INCREMENTAL, CopyMode.BACKGROUND));
    Guest other = new Guest(world, target);
    assertRefused(
        "Permission conflict on node 'target': permissions 'consistent read, write' are both"
            + " required by user 'guest' (uses node 'target' as 'root' child) and unshared by node"
            + " 'top' (uses node 'target' as 'target' child).",
        target,
        named(JOB));
    other.close();
  }

  @Test
  void aNodeServesOneMirror() throws Exception {
    mirror(full(CopyMode.BACKGROUND));
    BlockNode third = images.random("third", SIZE, 9);
    MirrorOptions second =
        MirrorOptions.of(JobOptions.of("second"), SyncMode.FULL, CopyMode.BACKGROUND);
    assertRefused(
        "Node 'source' is busy: block device is in use by block job: mirror", third, second);
  }

  @Test
  void theCopyModeMayBecomeBlockingOnly() throws Exception {
    mirror(full(CopyMode.BACKGROUND));
    guest.startWriting(5);
    world.monitor(monitor -> monitor.change("mirror0", CopyMode.WRITE_BLOCKING));
    world.refused(
        "Change to copy mode 'background' is not implemented",
        monitor -> monitor.change("mirror0", CopyMode.BACKGROUND));
    awaitReady();
    guest.awaitWrites(20);
    guest.stop();
    assertEquals(Optional.empty(), complete().error());
    assertEquals(0, images.compare("source", "target"));
  }
}
