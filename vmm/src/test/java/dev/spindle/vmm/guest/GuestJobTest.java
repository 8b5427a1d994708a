// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import static dev.spindle.vmm.guest.BootedGuest.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.graph.IsolatedSection;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.job.CopyMode;
import dev.spindle.block.job.JobOptions;
import dev.spindle.block.job.JobStatus;
import dev.spindle.block.job.SyncMode;
import dev.spindle.block.job.backup.BackupJob;
import dev.spindle.block.job.backup.BackupOptions;
import dev.spindle.block.job.mirror.MirrorJob;
import dev.spindle.block.job.mirror.MirrorOptions;
import dev.spindle.block.throttle.ThrottleGroup;
import dev.spindle.block.throttle.ThrottleLimits;
import dev.spindle.vmm.machine.Machine;
import dev.spindle.vmm.machine.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A stock Debian guest goes on using its disk while jobs, filters and sections are at work on it.
 */
@Tag("kvm")
@Timeout(value = 1200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestJobTest {
  private static final long DISK_BYTES = 16L << 20;

  /** How many writes show that the guest goes on. */
  private static final int SOME = 10;

  @TempDir Path folder;
  private BootedGuest guest;
  private VirtualMachine machine;
  private BusyDisk disk;
  private GuestJobs jobs;

  /** The image that the guest uses. */
  private String current = "first";

  /** fio writes until everything has been done, then reads what it wrote. */
  @Test
  void theGuestNeverNotices() throws Exception {
    String[] verdict = {"none"};
    CompletableFuture<Void> work = new CompletableFuture<>();
    try (BootedGuest booted = BootedGuest.onRootDisk(folder)) {
      guest = booted;
      Path image = guest.emptyImage("first", DISK_BYTES);
      guest.description().addDisk("vd1", image, "cache.direct=on", "", 2, false);
      machine =
          guest.boot(
              "quiet spindle.job=fio spindle.fio.phases= spindle.fio.verify=1"
                  + " spindle.fio.verify.size=16m spindle.fio.verify.bs=4k");
      guest.follow(
          (name, members) -> {
            switch (name) {
              case "fio-running" -> Thread.ofPlatform().name("work").start(() -> doAll(work));
              case "fio-verify" -> verdict[0] = text(members, "verify");
              default -> {}
            }
          });
      work.getNow(null);
      assertEquals("passed", verdict[0], guest.consoleTail());
      work.get();
      assertEquals(Machine.Ending.POWER_OFF, machine.awaitEnd());
    }
    // Nobody has written to a disk since its copy took its place.
    assertDiffer("first", "second");
    assertDiffer("second", "third");
  }

  private void doAll(CompletableFuture<Void> work) {
    try {
      disk = new BusyDisk(machine, "vd1");
      try (GuestJobs own = new GuestJobs(machine)) {
        jobs = own;
        mirrorOfOneMoment("one-moment", CopyMode.BACKGROUND);
        mirrorInItsPlace("second", CopyMode.WRITE_BLOCKING);
        backupWhileTheDiskMoves();
        filterComesChangesAndGoes();
        sections();
        mirrorOfOneMoment("another-moment", CopyMode.WRITE_BLOCKING);
        mirrorInItsPlace("third", CopyMode.BACKGROUND);
      } finally {
        disk.hurry();
      }
      work.complete(null);
    } catch (Throwable e) {
      work.completeExceptionally(e);
      machine.quit();
    }
  }

  private Path image(String name) {
    return folder.resolve(name + ".raw");
  }

  private void assertAlike(String one, String other) throws IOException {
    assertEquals(-1, Files.mismatch(image(one), image(other)), one + " and " + other + " differ");
  }

  private void assertDiffer(String one, String other) throws IOException {
    assertNotEquals(-1, Files.mismatch(image(one), image(other)), one + " and " + other);
  }

  private void startMirror(String target, CopyMode mode, JobOptions job) throws Exception {
    disk.control(
        () ->
            jobs.start(
                job,
                new MirrorJob(
                    machine.graph(),
                    disk.node(),
                    open(target),
                    MirrorOptions.of(job, SyncMode.FULL, mode))));
    disk.awaitWrites(SOME);
    jobs.await(target, JobStatus.READY);
    disk.awaitWrites(SOME);
  }

  private BlockNode open(String name) throws Exception {
    Path file = guest.emptyImage(name, DISK_BYTES);
    return machine
        .graph()
        .open(
            BusyDisk.options(
                "driver=file,cache.direct=on,node-name=" + name + ",filename=" + file));
  }

  /** The copy is compared while the guest stands still, at the moment that it is a copy of. */
  private void mirrorOfOneMoment(String target, CopyMode mode) throws Exception {
    startMirror(target, mode, JobOptions.of(target).finalizedByUser());
    jobs.control(monitor -> monitor.cancel(target, false));
    jobs.await(target, JobStatus.PENDING);
    disk.awaitWrites(SOME);
    disk.whileStopped(
        () -> {
          jobs.on(monitor -> monitor.finalizeJob(target));
          assertAlike(current, target);
        });
    assertEquals(Optional.empty(), jobs.ended(target).error());
    disk.awaitWrites(SOME);
    assertDiffer(current, target);
  }

  /** What the guest reads in the end tells whether the copy was right. */
  private void mirrorInItsPlace(String target, CopyMode mode) throws Exception {
    startMirror(target, mode, JobOptions.of(target));
    jobs.control(monitor -> monitor.complete(target));
    assertEquals(Optional.empty(), jobs.ended(target).error());
    disk.control(() -> assertSame(machine.graph().find(target), disk.node()));
    current = target;
    disk.awaitWrites(SOME);
  }

  private void backupWhileTheDiskMoves() throws Exception {
    // No faster than that until the disk has moved and been written to.
    JobOptions job = JobOptions.of("backup").atSpeed(1 << 20);
    disk.whileStopped(
        () -> {
          jobs.start(
              job,
              new BackupJob(
                  machine.graph(),
                  disk.node(),
                  open("backup"),
                  BackupOptions.of(job, SyncMode.FULL)));
          Files.copy(image(current), image("moment"));
        });
    try (Mover mover = new Mover(machine, "vd1")) {
      while (mover.moves() < 4) {
        disk.awaitWrites(SOME);
      }
      jobs.control(monitor -> monitor.setSpeed("backup", 0));
      assertEquals(Optional.empty(), jobs.ended("backup").error());
    }
    assertAlike("moment", "backup");
    assertDiffer("moment", current);
  }

  private void filterComesChangesAndGoes() throws Exception {
    disk.control(
        () -> {
          machine.graph().throttleGroups().add("group", BusyDisk.limits("iops-total=1000"));
          BlockNode below = disk.node();
          machine
              .graph()
              .insertFilter(
                  machine
                      .graph()
                      .open(
                          BusyDisk.options(
                              "driver=throttle,node-name=filter,throttle-group=group,file="
                                  + below.name())),
                  below);
          assertEquals("filter", disk.node().name());
        });
    disk.awaitWrites(SOME);
    configure(BusyDisk.limits("iops-total=50,bps-write=4000000"));
    disk.awaitWrites(SOME);
    configure(ThrottleLimits.NONE);
    disk.awaitWrites(SOME);
    // Next to nothing passes any more, but what waits when the filter goes.
    configure(BusyDisk.limits("iops-total=1"));
    machine.moveDisk("vd1", GuestMachine.IO_THREADS.getLast());
    disk.control(
        () -> {
          machine.graph().removeFilter(disk.node());
          assertEquals(current, disk.node().name());
          machine.graph().throttleGroups().remove("group");
        });
    disk.awaitWrites(SOME);
  }

  private void configure(ThrottleLimits limits) throws Exception {
    disk.control(
        () -> {
          ThrottleGroup group = machine.graph().throttleGroups().require("group");
          group.configure(limits, System.nanoTime());
        });
  }

  /** While a section lasts, the image stays as it is, although the guest goes on. */
  private void sections() throws Exception {
    disk.control(
        () -> {
          DrainedSection section = DrainedSection.begin(disk.node());
          try (section) {
            assertNothingIsWritten();
          }
        });
    disk.awaitWrites(SOME);
    disk.control(
        () -> {
          BlockBackend owner =
              new BlockBackend(disk.node(), new Owner(), Permission.none(), Permission.all());
          IsolatedSection section = owner.isolate();
          try (section) {
            // The section lets go what has been sent.
            disk.device().backend().quiesceBegin();
            disk.device().backend().quiesceEnd();
            assertTrue(disk.device().backend().isQuiesced());
            assertNothingIsWritten();
            assertEquals(0, owner.flush(machine.mainLoop().context()));
          }
          owner.close();
        });
    disk.awaitWrites(SOME);
  }

  private void assertNothingIsWritten() throws IOException {
    for (int i = 0; i < 2; i++) {
      Files.copy(image(current), image("still"), StandardCopyOption.REPLACE_EXISTING);
      assertAlike(current, "still");
    }
  }

  /** Who has the disk to himself for a while. */
  private static final class Owner implements BackendUser {
    @Override
    public String describe() {
      return "the owner";
    }
  }
}
