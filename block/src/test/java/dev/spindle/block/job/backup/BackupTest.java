// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.backup;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.TestNode;
import dev.spindle.block.job.BitmapMode;
import dev.spindle.block.job.CopyFixture;
import dev.spindle.block.job.ErrorPolicy;
import dev.spindle.block.job.Guest;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.job.SyncBitmap;
import dev.spindle.block.job.SyncMode;
import dev.spindle.linux.Errno;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BackupTest extends CopyFixture {
  private static final JobOptions JOB = JobOptions.of("backup0");

  private void create(BlockNode to, BackupOptions options) throws Exception {
    world.create(options.job(), new BackupJob(world.test.graph, source, to, options));
  }

  private void startJob() throws Exception {
    start(JOB);
  }

  private void cancel() throws Exception {
    world.monitor(monitor -> monitor.cancel("backup0", true));
    world.awaitGone("backup0");
  }

  @Test
  void isTheSourceAsItWas() throws Exception {
    byte[] moment = images.bytes("source");
    create(target, BackupOptions.of(JOB, SyncMode.FULL));
    guest.startWriting(1);
    guest.awaitWrites(20);
    startJob();
    assertEquals(Optional.empty(), world.ended("backup0").error());
    guest.awaitWrites(20);
    guest.stop();
    assertArrayEquals(moment, images.bytes("target"));
    assertSame(source, world.test.get(guest.backend::node));
    assertArrayEquals(images.bytes("source"), guest.read(0, SIZE));
  }

  @Test
  void anIdleDisksBackupIsTheSame() throws Exception {
    create(target, BackupOptions.of(JOB, SyncMode.FULL));
    startJob();
    assertEquals(SIZE, world.ended("backup0").current());
    assertEquals(0, images.compare("source", "target"));
  }

  @Test
  void isTheSourceAsItWasWhileItMoves() throws Exception {
    byte[] moment = images.bytes("source");
    create(target, BackupOptions.of(JOB.atSpeed(1), SyncMode.FULL));
    startJob();
    guest.startWriting(7);
    AioContext[] contexts = {
      world.test.io0.context(), world.test.io1.context(), world.test.mainLoop.context()
    };
    for (int i = 0; i < 5; i++) {
      AioContext context = contexts[i % contexts.length];
      BlockNode moved = i % 2 == 0 ? source : target;
      world.test.control(() -> ContextChange.run(moved, context));
      assertSame(context, source.context());
      guest.awaitWrites(5);
      // What it owes is forgotten, and it copies one more piece.
      world.monitor(monitor -> monitor.setSpeed("backup0", 1));
    }
    world.monitor(monitor -> monitor.setSpeed("backup0", 0));
    assertEquals(Optional.empty(), world.ended("backup0").error());
    guest.stop();
    assertArrayEquals(moment, images.bytes("target"));
  }

  @Test
  void savesOnlyWhatIsOverwritten() throws Exception {
    byte[] expected = images.bytes("target");
    byte[] moment = images.bytes("source");
    create(target, BackupOptions.of(JOB, SyncMode.NONE));
    startJob();
    assertEquals(0, guest.write(3 * CLUSTER + 4096, new byte[CLUSTER]));
    System.arraycopy(moment, 3 * CLUSTER, expected, 3 * CLUSTER, 2 * CLUSTER);
    cancel();
    assertArrayEquals(expected, images.bytes("target"));
    // With the job, the filter has gone.
    assertEquals(0, guest.write(0, new byte[4096]));
    assertArrayEquals(expected, images.bytes("target"));
  }

  private SyncBitmap dirty(int... clusters) throws Exception {
    DirtyBitmaps bitmaps = source.bitmaps();
    DirtyBitmap bitmap = world.test.get(() -> bitmaps.add("b", OptionalLong.empty()));
    for (int cluster : clusters) {
      bitmaps.mark((long) cluster * CLUSTER, 1);
    }
    return new SyncBitmap(bitmaps, bitmap);
  }

  @ParameterizedTest
  @CsvSource({
    "INCREMENTAL,ON_SUCCESS,0",
    "BITMAP,ALWAYS,0",
    "BITMAP,NEVER,2",
    "BITMAP,ON_SUCCESS,0"
  })
  void goesByABitmap(SyncMode sync, BitmapMode mode, int dirtyAfterwards) throws Exception {
    byte[] expected = images.bytes("target");
    System.arraycopy(images.bytes("source"), 5 * CLUSTER, expected, 5 * CLUSTER, 2 * CLUSTER);
    SyncBitmap bitmap = dirty(5, 6);
    create(target, BackupOptions.of(JOB, sync).with(bitmap, mode));
    bitmap.bitmaps().mark(9 * CLUSTER, 1);
    startJob();
    assertEquals(2 * CLUSTER, world.ended("backup0").total());
    assertArrayEquals(expected, images.bytes("target"));
    assertFalse(bitmap.bitmap().busy());
    // What was written meanwhile is for the next backup.
    assertEquals(1 + dirtyAfterwards, bitmap.bitmap().bits().dirtyGranules());
  }

  /** One of two clusters is saved by a write, then the job is cancelled. */
  @ParameterizedTest
  @CsvSource({"INCREMENTAL,ON_SUCCESS,2", "BITMAP,ALWAYS,1", "BITMAP,NEVER,2"})
  void aBitmapAfterACancellation(SyncMode sync, BitmapMode mode, int dirtyAfterwards)
      throws Exception {
    SyncBitmap bitmap = dirty(5, 100);
    // What is written meanwhile shall not hide what is left.
    bitmap.bitmaps().disable(bitmap.bitmap());
    create(target, BackupOptions.of(JOB, sync).with(bitmap, mode));
    assertEquals(0, guest.write(5 * CLUSTER, new byte[4096]));
    world.monitor(monitor -> monitor.cancel("backup0", true));
    assertFalse(bitmap.bitmap().busy());
    assertEquals(dirtyAfterwards, bitmap.bitmap().bits().dirtyGranules());
  }

  @Test
  void cancelledItLeavesTheGraphAsItWas() throws Exception {
    String before = world.test.picture();
    create(target, BackupOptions.of(JOB.atSpeed(1), SyncMode.FULL));
    startJob();
    guest.startWriting(3);
    guest.awaitWrites(20);
    cancel();
    guest.awaitWrites(20);
    guest.stop();
    assertEquals(before, world.test.picture());
    assertArrayEquals(images.bytes("source"), guest.read(0, SIZE));
  }

  /** What is wrong for good is not tried for ever. */
  @Test
  void aTargetThatThrowsEndsTheJob() throws Exception {
    TestNode throwing = keepingTarget();
    throwing.keeps = false;
    throwing.onCallback =
        callback -> {
          if (callback.equals("submit")) {
            throw new IllegalStateException("planted");
          }
        };
    JobOptions ignoring = JOB.onErrors(ErrorPolicy.IGNORE, ErrorPolicy.IGNORE);
    create(throwing, BackupOptions.of(ignoring, SyncMode.FULL));
    startJob();
    assertEquals(
        Optional.of("Internal error: java.lang.IllegalStateException: planted"),
        world.ended("backup0").error());
    assertEquals(0, guest.write(0, new byte[4096]));
    assertEquals(List.of(), throwing.parents());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aTargetThatFailsDoesNotHarmTheGuest(boolean inTheFilter) throws Exception {
    TestNode keeping = keepingTarget();
    create(keeping, BackupOptions.of(JOB, SyncMode.FULL));
    CompletableFuture<Integer> written =
        inTheFilter
            ? CompletableFuture.supplyAsync(() -> guest.write(0, new byte[4096]))
            : CompletableFuture.completedFuture(0);
    if (!inTheFilter) {
      startJob();
    }
    JobWorld.await(keeping).complete(-Errno.ENOSPC);
    keeping.keeps = false;
    assertEquals(0, written.join());
    if (inTheFilter) {
      startJob();
    }
    assertEquals(
        Optional.of("Writing to node 'keeping' failed: No space left on device"),
        world.ended("backup0").error());
    assertEquals(Errno.ENOSPC, world.awaitEvent(JobEvent.IoError.class, "backup0").errno());
    assertEquals(0, guest.write(0, new byte[4096]));
  }

  @ParameterizedTest
  @ValueSource(strings = {"break-guest-write", "break-snapshot"})
  void theFilterAloneDoesAsItIsTold(String onError) throws Exception {
    TestNode keeping = keepingTarget();
    byte[] before = images.bytes("small");
    BlockNode filter =
        world.test.get(
            () ->
                world.test.graph.open(
                    Disk.options(
                        "driver=copy-before-write,file=small,target=keeping,on-cbw-error="
                            + onError)));
    world.test.control(() -> world.test.graph.insertFilter(filter, source));
    byte[] data = new byte[4096];
    Arrays.fill(data, (byte) 1);
    CompletableFuture<Integer> written = CompletableFuture.supplyAsync(() -> guest.write(0, data));
    JobWorld.await(keeping).complete(-Errno.EIO);
    boolean breaksWrite = onError.equals("break-guest-write");
    assertEquals(breaksWrite ? -Errno.EIO : 0, written.join());
    assertArrayEquals(
        breaksWrite ? Arrays.copyOf(before, data.length) : data, guest.read(0, data.length));
  }

  private void assertRefused(String sentence, BlockNode to, BackupOptions options)
      throws Exception {
    assertRefused(sentence, () -> create(to, options));
  }

  @Test
  void refusesWhatCannotBe() throws Exception {
    BackupOptions options = BackupOptions.of(JOB, SyncMode.FULL);
    assertRefused("Source and target cannot be the same", source, options);
    assertRefused(
        "Node 'tiny' has 4096 bytes, and cannot take a backup of node 'source', which has " + SIZE,
        images.of("tiny", new byte[4096]),
        options);
    assertRefused(
        "Must provide a valid bitmap name for 'bitmap' sync mode",
        target,
        BackupOptions.of(JOB, SyncMode.BITMAP));
    SyncBitmap bitmap = dirty(1);
    assertRefused(
        "Sync mode 'full' is not compatible with bitmaps",
        target,
        options.with(bitmap, BitmapMode.ON_SUCCESS));
    assertRefused(
        "Bitmap sync mode must be 'on-success' when using sync mode 'incremental'",
        target,
        BackupOptions.of(JOB, SyncMode.INCREMENTAL).with(bitmap, BitmapMode.NEVER));
    Guest other = new Guest(world, target);
    BackupOptions incremental =
        BackupOptions.of(JOB, SyncMode.INCREMENTAL).with(bitmap, BitmapMode.ON_SUCCESS);
    BlockException conflict = assertThrows(BlockException.class, () -> create(target, incremental));
    assertEquals(
        "Permission conflict on node 'target': permissions 'write' are both required by user"
            + " 'guest' (uses node 'target' as 'root' child) and unshared by node '#block0' (uses"
            + " node 'target' as 'target' child).",
        conflict.getMessage().replaceFirst("#block[0-9]+", "#block0"));
    assertFalse(bitmap.bitmap().busy());
    other.close();
  }
}
