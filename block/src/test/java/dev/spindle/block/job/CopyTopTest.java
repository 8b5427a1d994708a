// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.LayerDisk;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies of what a disk holds itself, to one that stands on the same backing disk. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyTopTest extends CopyFixture {
  private static final JobOptions JOB = JobOptions.of("copy0");
  private static final int LENGTH = 1 << 20;
  private static final int SECTORS = LENGTH / LayerDisk.SECTOR;
  private static final int CLUSTER_SECTORS = CLUSTER / LayerDisk.SECTOR;

  private LayerDisk base;
  private LayerDisk top;
  private LayerDisk copy;

  @BeforeEach
  void makeLayers() throws Exception {
    base = LayerDisk.add(world.test, "base", null, LENGTH).fill(0, SECTORS, 1);
    top =
        LayerDisk.add(world.test, "top", base, LENGTH)
            .fill(10, 3, 2)
            // As the base, and zeroes: held all the same.
            .fill(CLUSTER_SECTORS, CLUSTER_SECTORS, 1)
            .fill(5 * CLUSTER_SECTORS, 40, 0)
            .fill(SECTORS - 1, 1, 3);
    copy = LayerDisk.add(world.test, "copy", base, LENGTH);
    target = copy;
  }

  private void mirror(BlockNode from, int granularity) throws Exception {
    useInstead(from);
    MirrorOptions options =
        MirrorOptions.of(JOB, SyncMode.TOP, CopyMode.BACKGROUND).sized(granularity, 1 << 20);
    world.create(JOB, new MirrorJob(world.test.graph, from, target, options));
  }

  private BlockNode behindFilters() throws Exception {
    return world.test.get(
        () ->
            world.test.graph.open(
                Disk.options(
                    "driver=raw,node-name=raw,file.driver=blkdebug,file.node-name=dbg,file.image=top")));
  }

  private BitSet clustersOf(BitSet sectors) {
    BitSet clusters = new BitSet();
    sectors.stream()
        .map(sector -> sector / CLUSTER_SECTORS * CLUSTER_SECTORS)
        .forEach(first -> clusters.set(first, first + CLUSTER_SECTORS));
    return clusters;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aMirrorCopiesWhatTheTopHoldsAndTakesItsPlace(boolean filtered) throws Exception {
    BlockNode from = filtered ? behindFilters() : top;
    mirror(from, 512);
    start(JOB);
    world.awaitEvent(JobEvent.Ready.class, "copy0");
    assertEquals((long) top.held.cardinality() * 512, world.query("copy0").current());
    assertEquals(top.held, copy.held);
    world.monitor(monitor -> monitor.complete("copy0"));
    assertEquals(Optional.empty(), world.ended("copy0").error());
    assertSame(copy, world.test.get(guest.backend::node));
    assertArrayEquals(top.seen(), guest.read(0, LENGTH));
    assertArrayEquals(top.seen(), copy.seen());
  }

  /** Whole granules are copied, and show what the backing disk shows. */
  @Test
  void aCoarserMirrorShowsTheSame() throws Exception {
    mirror(top, CLUSTER);
    start(JOB);
    assertEquals(Optional.empty(), end(Kind.MIRROR, JOB).error());
    assertEquals(clustersOf(top.held), copy.held);
    assertArrayEquals(top.seen(), copy.seen());
  }

  @Test
  void aMirrorCopiesWhatIsWrittenMeanwhile() throws Exception {
    mirror(top, 512);
    byte[] data = new byte[4096];
    Arrays.fill(data, (byte) 9);
    assertEquals(0, guest.write(8 * CLUSTER, data));
    start(JOB);
    world.awaitEvent(JobEvent.Ready.class, "copy0");
    assertEquals(0, guest.write(9 * CLUSTER, data));
    assertEquals(Optional.empty(), end(Kind.MIRROR, JOB).error());
    assertEquals(top.held, copy.held);
    assertArrayEquals(top.seen(), copy.seen());
  }

  @Test
  void aBackupCopiesWhatTheTopHeldAtThatMoment() throws Exception {
    useInstead(top);
    byte[] moment = top.seen();
    BitSet held = clustersOf(top.held);
    create(Kind.BACKUP, JOB, SyncMode.TOP, Optional.empty(), BitmapMode.ON_SUCCESS);
    byte[] data = new byte[4096];
    Arrays.fill(data, (byte) 9);
    // One cluster that the top holds, and one that it does not: both are saved first.
    assertEquals(0, guest.write(CLUSTER, data));
    assertEquals(0, guest.write(8 * CLUSTER, data));
    held.set(8 * CLUSTER_SECTORS, 9 * CLUSTER_SECTORS);
    start(JOB);
    assertEquals(Optional.empty(), world.ended("copy0").error());
    assertArrayEquals(moment, copy.seen());
    assertEquals(held, copy.held);
  }

  @ParameterizedTest
  @EnumSource
  void withoutABackingDiskAllIsCopied(Kind kind) throws Exception {
    useInstead(base);
    target = LayerDisk.add(world.test, "alone", null, LENGTH);
    create(kind, JOB, SyncMode.TOP, Optional.empty(), BitmapMode.ON_SUCCESS);
    start(JOB);
    assertEquals(Optional.empty(), end(kind, JOB).error());
    assertEquals(SECTORS, ((LayerDisk) target).held.cardinality());
    assertArrayEquals(base.seen(), ((LayerDisk) target).seen());
  }
}
