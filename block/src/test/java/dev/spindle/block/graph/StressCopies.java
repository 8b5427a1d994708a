// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobEvent;
import dev.spindle.block.job.JobMonitor;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.JobWorld;
import dev.spindle.block.job.SyncMode;
import dev.spindle.block.job.backup.BackupJob;
import dev.spindle.block.job.backup.BackupOptions;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Jobs that copy a disk to another while everything else goes on: one at a time, which {@link
 * #advance} takes one step further. When it ends, the copy must be what it should. A disk and its
 * copy may change places.
 */
final class StressCopies {
  private static final int GRANULE = 512;
  private static final long BUFFERS = 4 << 20;

  private enum Kind {
    BACKUP,
    /** A mirror that is left as it is at the end. */
    MIRROR,
    /** A mirror that takes the disk's place. */
    REPLACEMENT
  }

  private enum Phase {
    NONE,
    CREATED,
    RUNNING,
    READY,
    OVER
  }

  /** What is to be waited for before the next step. */
  private interface Wait {
    void run() throws Exception;
  }

  private final JobWorld world;
  private final SplittableRandom random;
  private final List<BusyUser> users;
  private RamNode disk;
  private RamNode spare;
  private Phase phase = Phase.NONE;
  private Kind kind;
  private String id;
  private int count;
  private byte[] moment;
  private Wait wait = () -> {};

  StressCopies(
      JobWorld world, SplittableRandom random, List<BusyUser> users, RamNode disk, RamNode spare) {
    this.world = world;
    this.users = users;
    this.random = random;
    this.disk = disk;
    this.spare = spare;
  }

  /** What everybody uses. */
  RamNode disk() {
    return disk;
  }

  /** What nobody uses, or a job only. */
  RamNode spare() {
    return spare;
  }

  /** Whether a job relies on the disk's links. */
  boolean underWay() {
    return phase != Phase.NONE;
  }

  /** Whether a write that the job does not see now would make a mirror wrong. */
  boolean isMirror() {
    return underWay() && kind != Kind.BACKUP;
  }

  /** Whether a write that the job does not see now would make a backup wrong. */
  boolean isUnsavedBackup() {
    return phase == Phase.CREATED && kind == Kind.BACKUP;
  }

  /** Takes the job one step further; returns which. Control side. */
  String advance() throws BlockException {
    return switch (phase) {
      case NONE -> create();
      case CREATED -> {
        world.jobs.start(id);
        phase = Phase.RUNNING;
        yield "start " + id;
      }
      case RUNNING -> random.nextInt(4) == 0 ? kill() : goOn();
      case READY -> endMirror();
      case OVER -> end();
    };
  }

  /** Waits for what the last step has led to. Not on the control side. */
  Void settle() throws Exception {
    wait.run();
    wait = () -> {};
    return null;
  }

  private String create() throws BlockException {
    kind = Kind.values()[random.nextInt(Kind.values().length)];
    CopyMode mode = CopyMode.values()[random.nextInt(CopyMode.values().length)];
    id = "job" + count++;
    JobOptions job = JobOptions.of(id).finalizedByUser();
    try (DrainedSection section = DrainedSection.begin(disk)) {
      moment = disk.bytes();
      world.jobs.create(
          job,
          null,
          kind == Kind.BACKUP
              ? new BackupJob(world.test.graph, disk, spare, BackupOptions.of(job, SyncMode.FULL))
              : new MirrorJob(
                  world.test.graph,
                  disk,
                  spare,
                  MirrorOptions.of(job, SyncMode.FULL, mode).sized(GRANULE, BUFFERS)));
    }
    phase = Phase.CREATED;
    return "create " + id + ", " + kind + " " + mode;
  }

  private String kill() throws BlockException {
    String killed = id;
    on(monitor -> monitor.cancel(killed, true));
    wait = () -> world.awaitGone(killed);
    phase = Phase.NONE;
    return "cancel " + id;
  }

  private String goOn() throws BlockException {
    String job = id;
    if (kind == Kind.BACKUP) {
      wait = () -> world.awaitStatus(job, JobStatus.PENDING);
      phase = Phase.OVER;
    } else {
      // It would never be done with users who never rest.
      users.forEach(user -> user.backend.quiesceBegin());
      wait =
          () -> {
            world.awaitEvent(JobEvent.Ready.class, job);
            world.test.control(() -> users.forEach(user -> user.backend.quiesceEnd()));
          };
      phase = Phase.READY;
    }
    return "have " + id + " go on";
  }

  private String endMirror() throws BlockException {
    String job = id;
    if (kind == Kind.REPLACEMENT) {
      on(monitor -> monitor.complete(job));
    } else {
      on(monitor -> monitor.cancel(job, false));
    }
    wait = () -> world.awaitStatus(job, JobStatus.PENDING);
    phase = Phase.OVER;
    return "end " + id;
  }

  private String end() throws BlockException {
    switch (kind) {
      case BACKUP -> {
        finish();
        compare(moment, spare.bytes());
      }
      case MIRROR -> {
        try (DrainedSection section = DrainedSection.begin(disk)) {
          finish();
          compare(disk.bytes(), spare.bytes());
        }
      }
      case REPLACEMENT -> {
        // Whether the copy is right, its users will tell.
        finish();
        RamNode replaced = disk;
        disk = spare;
        spare = replaced;
      }
    }
    phase = Phase.NONE;
    return "finalize " + id;
  }

  private void finish() throws BlockException {
    on(monitor -> monitor.finalizeJob(id));
  }

  private void compare(byte[] expected, byte[] copy) {
    int at = Arrays.mismatch(expected, copy);
    if (at >= 0) {
      spare.violation.compareAndSet(null, "%s, %s: byte %d is wrong".formatted(id, kind, at));
    }
  }

  private void on(JobWorld.Verb verb) throws BlockException {
    try (JobMonitor monitor = world.jobs.monitor()) {
      verb.on(monitor);
    }
  }
}
