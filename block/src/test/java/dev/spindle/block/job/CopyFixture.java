// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.TestGraph.Work;
import dev.spindle.block.graph.TestNode;
import dev.spindle.block.job.backup.BackupJob;
import dev.spindle.block.job.backup.BackupOptions;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Two image files, a guest on the first, and jobs that copy it to the second. */
public abstract class CopyFixture {
  /** Who copies. */
  public enum Kind {
    MIRROR,
    BACKUP
  }

  protected static final int SIZE = 8 << 20;
  protected static final int CLUSTER = 64 << 10;

  @TempDir protected Path folder;
  protected JobWorld world;
  protected Images images;
  protected BlockNode source;
  protected BlockNode target;
  protected Guest guest;

  @BeforeEach
  protected final void startWorld() throws Exception {
    world = new JobWorld();
    images = new Images(world, folder);
    source = images.random("source", SIZE, 1);
    target = images.random("target", SIZE, 2);
    guest = new Guest(world, source);
  }

  @AfterEach
  protected final void stopWorld() throws Exception {
    guest.close();
    world.close();
  }

  /** Puts the guest on another disk. */
  protected void useInstead(BlockNode node) throws Exception {
    world.test.control(guest::leave);
    source = node;
    guest = new Guest(world, node);
  }

  /** A target that keeps its requests, for a source that is made to fit. */
  protected TestNode keepingTarget() throws Exception {
    TestNode keeping = world.test.node("keeping");
    keeping.keeps = true;
    useInstead(images.random("small", (int) keeping.length(), 4));
    return keeping;
  }

  protected static void letAllGo(TestNode node) {
    node.keeps = false;
    TestNode.Kept kept;
    while ((kept = node.kept.poll()) != null) {
      kept.complete(0);
    }
  }

  /** Creates a job that copies the source, in one of two ways. */
  protected void create(
      Kind kind, JobOptions job, SyncMode sync, Optional<SyncBitmap> bitmap, BitmapMode mode)
      throws Exception {
    switch (kind) {
      case MIRROR -> {
        MirrorOptions plain = MirrorOptions.of(job, sync, CopyMode.BACKGROUND);
        MirrorOptions options = bitmap.map(given -> plain.with(given, mode)).orElse(plain);
        world.create(job, new MirrorJob(world.test.graph, source, target, options));
      }
      case BACKUP -> {
        BackupOptions plain = BackupOptions.of(job, sync);
        BackupOptions options = bitmap.map(given -> plain.with(given, mode)).orElse(plain);
        world.create(job, new BackupJob(world.test.graph, source, target, options));
      }
    }
  }

  protected void start(JobOptions job) throws Exception {
    world.test.control(() -> world.jobs.start(job.id()));
  }

  /** Has a job that was started end where it leaves the source in its place. */
  protected JobInfo end(Kind kind, JobOptions job) throws Exception {
    if (kind == Kind.MIRROR) {
      world.awaitEvent(JobEvent.Ready.class, job.id());
      world.monitor(monitor -> monitor.cancel(job.id(), false));
    }
    return world.ended(job.id());
  }

  /** Something that must be refused with this sentence, and change nothing. */
  protected void assertRefused(String sentence, Work work) throws Exception {
    String before = world.test.picture();
    BlockException refusal = assertThrows(BlockException.class, work::run);
    assertEquals(sentence, refusal.getMessage());
    assertEquals(before, world.test.picture());
  }

  protected void assertOnlyTheTwoNodesAreLeft() throws Exception {
    world.test.control(() -> assertEquals(List.of(source, target), world.test.graph.nodes()));
  }
}
