// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.TestGraph;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Copies that go by a bitmap which the guest's writes mark. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyBitmapTest extends CopyFixture {
  private static final JobOptions JOB = JobOptions.of("copy0");

  private DirtyBitmap bitmap;

  private void addBitmap(long granularity) throws Exception {
    bitmap = world.test.get(() -> source.bitmaps().add("b", OptionalLong.of(granularity)));
  }

  private JobInfo copy(Kind kind, SyncMode sync, BitmapMode mode) throws Exception {
    create(kind, JOB, sync, given(sync), mode);
    start(JOB);
    return end(kind, JOB);
  }

  private Optional<SyncBitmap> given(SyncMode sync) throws Exception {
    return sync == SyncMode.FULL
        ? Optional.empty()
        : Optional.of(world.test.get(() -> SyncBitmap.of(source, "b")));
  }

  /** What a file system does all day, from two contexts, between copies and during them. */
  @ParameterizedTest
  @CsvSource({"MIRROR,512", "MIRROR,65536", "BACKUP,512", "BACKUP,65536", "BACKUP,1048576"})
  void incrementsFollowAGuestThatGoesOnWriting(Kind kind, long granularity) throws Exception {
    addBitmap(granularity);
    assertEquals(Optional.empty(), copy(kind, SyncMode.FULL, BitmapMode.ON_SUCCESS).error());
    world.forget(JOB.id());
    AioContext[] contexts = {world.test.io1.context(), world.test.io0.context()};
    for (int round = 0; round < 4; round++) {
      int way = round % 2;
      guest.startWriting(round);
      guest.awaitWrites(30);
      changeSomething(round);
      world.test.control(() -> ContextChange.run(source, contexts[way]));
      guest.awaitWrites(30);
      guest.stop();
      byte[] moment = images.bytes("source");
      create(kind, JOB, SyncMode.INCREMENTAL, given(SyncMode.INCREMENTAL), BitmapMode.ON_SUCCESS);
      guest.startWriting(100 + round);
      guest.awaitWrites(20);
      start(JOB);
      if (kind == Kind.BACKUP) {
        assertEquals(Optional.empty(), end(kind, JOB).error());
        assertArrayEquals(moment, images.bytes("target"));
        guest.stop();
      } else {
        world.awaitEvent(JobEvent.Ready.class, JOB.id());
        guest.stop();
        assertEquals(Optional.empty(), end(kind, JOB).error());
        assertEquals(0, bitmap.bits().dirtyBytes());
        assertEquals(0, images.compare("source", "target"));
      }
      world.forget(JOB.id());
    }
    assertEquals(Optional.empty(), copy(kind, SyncMode.INCREMENTAL, BitmapMode.ON_SUCCESS).error());
    assertEquals(0, bitmap.bits().dirtyBytes());
    assertEquals(0, images.compare("source", "target"));
  }

  /** Something other than a copy that makes the way to the source anew. */
  private void changeSomething(int round) throws Exception {
    if (round % 2 == 0) {
      world.test.control(
          () -> {
            BlockNode raw =
                world.test.graph.open(Disk.options("driver=raw,node-name=raw,file=source"));
            world.test.graph.insertFilter(raw, source);
          });
    } else {
      world.test.control(() -> world.test.graph.removeFilter(world.test.graph.find("raw")));
    }
  }

  private void write(int cluster) throws Exception {
    byte[] data = new byte[CLUSTER];
    new Random(cluster).nextBytes(data);
    assertEquals(0, guest.write((long) cluster * CLUSTER, data));
  }

  /** Two copies that are alike, and then three clusters of the source that are dirty. */
  private void copyThenWriteSome(Kind kind) throws Exception {
    copy(kind, SyncMode.FULL, BitmapMode.ON_SUCCESS);
    world.forget(JOB.id());
    addBitmap(CLUSTER);
    for (int cluster : new int[] {3, 20, 100}) {
      write(cluster);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "MIRROR,ON_SUCCESS,0", "MIRROR,ALWAYS,0", "MIRROR,NEVER,3",
    "BACKUP,ON_SUCCESS,0", "BACKUP,ALWAYS,0", "BACKUP,NEVER,3"
  })
  void aBitmapAfterASuccess(Kind kind, BitmapMode mode, int dirtyAfterwards) throws Exception {
    copyThenWriteSome(kind);
    JobInfo end = copy(kind, SyncMode.BITMAP, mode);
    assertEquals(Optional.empty(), end.error());
    assertEquals(3 * CLUSTER, end.total());
    assertFalse(bitmap.busy());
    assertEquals(dirtyAfterwards, bitmap.bits().dirtyGranules());
    assertEquals(0, images.compare("source", "target"));
    write(7);
    assertEquals(dirtyAfterwards + 1, bitmap.bits().dirtyGranules());
  }

  private void failOnceAtTarget(String ioType) throws Exception {
    target =
        world.test.open(
            "driver=blkdebug,node-name=dbg,image=target,inject-error.0.event=none,"
                + "inject-error.0.once=on,inject-error.0.iotype="
                + ioType);
  }

  /** One cluster of three cannot be written. Afterwards a second copy makes up for it. */
  @ParameterizedTest
  @CsvSource({
    "MIRROR,ON_SUCCESS", "MIRROR,ALWAYS", "MIRROR,NEVER",
    "BACKUP,ON_SUCCESS", "BACKUP,ALWAYS", "BACKUP,NEVER"
  })
  void aBitmapAfterAFailure(Kind kind, BitmapMode mode) throws Exception {
    copyThenWriteSome(kind);
    failOnceAtTarget("write,inject-error.0.sector=" + 20 * CLUSTER / 512);
    create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), mode);
    start(JOB);
    assertEquals(
        Optional.of("Writing to node 'dbg' failed: Input/output error"),
        world.ended(JOB.id()).error());
    world.forget(JOB.id());
    assertFalse(bitmap.busy());
    assertTrue(bitmap.bits().get(20L * CLUSTER));
    if (mode == BitmapMode.ALWAYS) {
      // It was written before the one that failed was even tried.
      assertFalse(bitmap.bits().get(3L * CLUSTER));
    } else {
      assertEquals(3, bitmap.bits().dirtyGranules());
    }
    write(50);
    assertEquals(Optional.empty(), copy(kind, SyncMode.BITMAP, mode).error());
    assertEquals(0, images.compare("source", "target"));
  }

  /** All is copied, but may be lost: whatever the mode, the next copy must copy it again. */
  @ParameterizedTest
  @CsvSource({
    "MIRROR,ON_SUCCESS", "MIRROR,ALWAYS", "MIRROR,NEVER",
    "BACKUP,ON_SUCCESS", "BACKUP,ALWAYS", "BACKUP,NEVER"
  })
  void aBitmapAfterAFlushThatFailed(Kind kind, BitmapMode mode) throws Exception {
    copyThenWriteSome(kind);
    failOnceAtTarget("flush");
    create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), mode);
    write(50);
    start(JOB);
    assertEquals(
        Optional.of("Writing to node 'dbg' failed: Input/output error"), end(kind, JOB).error());
    world.forget(JOB.id());
    assertFalse(bitmap.busy());
    for (int cluster : new int[] {3, 20, 50, 100}) {
      assertTrue(bitmap.bits().get((long) cluster * CLUSTER));
    }
    assertEquals(4, bitmap.bits().dirtyGranules());
    assertEquals(Optional.empty(), copy(kind, SyncMode.BITMAP, mode).error());
    assertEquals(0, images.compare("source", "target"));
  }

  /** A part is copied, but may be lost: the bitmap must not tell of it. */
  @ParameterizedTest
  @EnumSource
  void aBitmapAfterAFailureWhosePartCannotBeFlushed(Kind kind) throws Exception {
    copyThenWriteSome(kind);
    failOnceAtTarget(
        "write,inject-error.0.sector=%d,inject-error.1.event=none,inject-error.1.once=on,inject-error.1.iotype=flush"
            .formatted(20 * CLUSTER / 512));
    create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), BitmapMode.ALWAYS);
    start(JOB);
    assertEquals(
        Optional.of("Writing to node 'dbg' failed: Input/output error"),
        world.ended(JOB.id()).error());
    world.forget(JOB.id());
    assertFalse(bitmap.busy());
    assertEquals(3, bitmap.bits().dirtyGranules());
    assertEquals(Optional.empty(), copy(kind, SyncMode.BITMAP, BitmapMode.ALWAYS).error());
    assertEquals(0, bitmap.bits().dirtyGranules());
    assertEquals(0, images.compare("source", "target"));
  }

  /** A guest that writes until it is told to stop, and once more as it is told. */
  private final class LastWriter implements BackendUser {
    private static final long PLACE = 50L * CLUSTER;

    private final BackendLane lane;

    /** The last write, once it is to be sent; control side. */
    private TestRequest last;

    LastWriter() throws BlockException {
      BlockBackend backend =
          new BlockBackend(
              source, this, TestGraph.READ_WRITE, EnumSet.of(Permission.CONSISTENT_READ));
      lane = backend.openLane(world.test.mainLoop.context());
    }

    @Override
    public String describe() {
      return "the last writer";
    }

    @Override
    public Runnable drainedBegin() {
      if (last != null) {
        lane.submit(last);
        last = null;
      }
      return () -> {};
    }
  }

  /** What is written while a failed job's filter is taken away is marked as all else is. */
  @ParameterizedTest
  @EnumSource
  void aBitmapTellsOfTheLastWritesBeforeAFailedJobEnds(Kind kind) throws Exception {
    addBitmap(CLUSTER);
    world.test.control(guest::leave);
    LastWriter writer = world.test.get(LastWriter::new);
    create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), BitmapMode.ALWAYS);
    TestRequest last = TestRequest.range(Operation.WRITE_ZEROES, LastWriter.PLACE, CLUSTER);
    world.test.control(() -> writer.last = last);
    world.monitor(monitor -> monitor.cancel(JOB.id(), true));
    assertEquals(0, last.result.join());
    world.awaitGone(JOB.id());
    assertTrue(bitmap.bits().get(LastWriter.PLACE));
    assertEquals(1, bitmap.bits().dirtyGranules());
    world.test.closeLane(writer.lane);
  }

  /** A refused job leaves the bitmap bit for bit as it was. */
  @ParameterizedTest
  @EnumSource
  void aRefusedCopyLeavesTheBitmapAlone(Kind kind) throws Exception {
    addBitmap(512);
    byte[] sector = new byte[512];
    Arrays.fill(sector, (byte) 1);
    assertEquals(0, guest.write(5 * 512, sector));
    Guest other = new Guest(world, target);
    String before = world.test.picture();
    for (BitmapMode mode : List.of(BitmapMode.NEVER, BitmapMode.ALWAYS)) {
      assertThrows(
          BlockException.class,
          () -> create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), mode));
      assertEquals(before, world.test.picture());
      assertFalse(bitmap.busy());
      assertEquals(512, bitmap.bits().dirtyBytes());
    }
    other.close();
  }

  /** Somebody has the target meanwhile, and keeps it from going home by itself. */
  @ParameterizedTest
  @EnumSource
  void aRefusedCopyLeavesItsNodesWhereTheyWere(Kind kind) throws Exception {
    addBitmap(512);
    world.test.control(
        () -> {
          new BlockBackend(target, new TestGraph.User("idle"), Permission.none(), Permission.all());
          ContextChange.run(source, world.test.io0.context());
          source.bitmaps().reserve(bitmap);
        });
    assertRefused(
        "Bitmap 'b' is currently in use by another operation and cannot be used",
        () -> create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), BitmapMode.NEVER));
    assertSame(world.test.mainLoop.context(), target.context());
    world.test.control(() -> source.bitmaps().release(bitmap));
  }

  @ParameterizedTest
  @EnumSource
  void aBitmapServesOneJobAndNobodyElseMeanwhile(Kind kind) throws Exception {
    addBitmap(CLUSTER);
    create(kind, JOB, SyncMode.BITMAP, given(SyncMode.BITMAP), BitmapMode.NEVER);
    String busy = "Bitmap 'b' is currently in use by another operation and cannot be used";
    assertRefused(busy, () -> world.test.control(() -> source.bitmaps().remove(bitmap)));
    assertRefused(busy, () -> world.test.control(() -> source.bitmaps().clear(bitmap)));
    assertRefused(busy, () -> world.test.control(() -> source.bitmaps().disable(bitmap)));
    start(JOB);
    end(kind, JOB);
    world.test.control(() -> source.bitmaps().remove(bitmap));
  }

  @Test
  void anUnknownBitmapIsNamed() throws Exception {
    assertRefused(
        "Dirty bitmap 'b' not found", () -> world.test.control(() -> SyncBitmap.of(source, "b")));
  }
}
