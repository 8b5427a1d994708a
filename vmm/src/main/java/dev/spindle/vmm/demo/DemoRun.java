// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.demo;

import dev.spindle.block.options.OptionException;
import dev.spindle.devices.virtio.blk.MoveStats;
import dev.spindle.vmm.guest.FioResult;
import dev.spindle.vmm.guest.GuestEvents;
import dev.spindle.vmm.guest.GuestEvents.Line;
import dev.spindle.vmm.guest.GuestFiles;
import dev.spindle.vmm.guest.GuestMachine;
import dev.spindle.vmm.machine.VirtualMachine;
import dev.spindle.vmm.machine.VirtualMachineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;

/**
 * The demo itself, where there is KVM: boots a guest whose fio reads and writes a disk, twice, and
 * then verifies what it wrote; from the second time on the disk moves back and forth.
 */
final class DemoRun {
  private static final String DISK = "vd1";
  private static final String STAYS = "stays";
  private static final String MOVES = "moves";
  private static final long DISK_BYTES = 256L << 20;

  private final GuestFiles files;
  private final Path scratch;
  private final int seconds;
  private final String kvm;
  private final PrintWriter progress;

  private FioResult without;
  private FioResult with;
  private Boolean verifyPassed;
  private long verifyErrors;

  /**
   * Prepares a run.
   *
   * @param scratch a folder for the disk and the guest's console
   * @param seconds how long fio runs each time
   * @param kvm what the result says of KVM
   */
  DemoRun(GuestFiles files, Path scratch, int seconds, String kvm, PrintWriter progress) {
    this.files = files;
    this.scratch = scratch;
    this.seconds = seconds;
    this.kvm = kvm;
    this.progress = progress;
  }

  /** Runs it. */
  DemoResult run() throws IOException, OptionException, InterruptedException {
    Path disk = scratch.resolve("demo-disk.raw");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(DISK_BYTES);
    }
    Path console = scratch.resolve("demo-console.log");
    GuestEvents events = new GuestEvents();
    try (VirtualMachine machine = VirtualMachine.create(config(disk, console, events))) {
      progress.println("spindle: booting Linux");
      machine.start();
      follow(machine, events);
      MoveStats moves = machine.disk(DISK).moveStats();
      if (without == null || with == null || verifyPassed == null) {
        throw new IOException("the guest ended early; its console is in " + console);
      }
      double mean = moves.moves() == 0 ? 0 : (double) moves.totalHoldNs() / moves.moves();
      return new DemoResult(
          kvm,
          without,
          with,
          verifyPassed,
          verifyErrors,
          moves.moves(),
          moves.longestHoldNs() / 1e3,
          mean / 1e3);
    }
  }

  private VirtualMachineConfig config(Path disk, Path console, GuestEvents events)
      throws OptionException {
    GuestMachine machine = GuestMachine.withRootDisk("demo", files);
    machine.addDisk(DISK, disk, "cache.direct=on,discard=unmap", "", 2, false);
    String parameters =
        "quiet spindle.job=fio spindle.fio.phases="
            + STAYS
            + ","
            + MOVES
            + " spindle.fio.device=/dev/vdb spindle.fio.rw=randrw spindle.fio.verify=1"
            + " spindle.fio.runtime="
            + seconds;
    return machine.config(parameters, console, events);
  }

  /** Listens to the guest until it has switched itself off; the disk moves while it should. */
  private void follow(VirtualMachine machine, GuestEvents events)
      throws IOException, InterruptedException {
    machine.machine().ending().thenRun(events::close);
    DiskMover mover = null;
    try {
      Line line;
      while (!((line = events.next()) instanceof Line.End)) {
        if (!(line instanceof Line.Event(String name, JsonNode members))) {
          continue;
        }
        switch (name) {
          case "init" -> progress.println("spindle: Linux is up; fio runs for " + seconds + " s");
          case "fio-running" -> {
            if (mover == null && !text(members, "phase").equals(STAYS)) {
              progress.println("spindle: fio goes on while its disk moves between iothreads");
              mover = new DiskMover(machine, DISK, GuestMachine.IO_THREADS);
            }
          }
          case "fio-result" -> result(members);
          case "fio-verify" -> {
            verifyPassed = text(members, "verify").equals("passed");
            verifyErrors = fio(members).errors();
            if (mover != null) {
              mover.close();
              mover = null;
            }
          }
          case "error" -> throw new IOException("the guest says: " + text(members, "message"));
          default -> {}
        }
      }
    } finally {
      if (mover != null) {
        mover.close();
      }
    }
  }

  private void result(JsonNode members) throws IOException {
    String phase = text(members, "phase");
    if (members.path("status").intValue(0) != 0) {
      throw new IOException("fio failed in the guest: " + text(members, "errors"));
    }
    FioResult figures = fio(members);
    if (figures.iops() == 0) {
      throw new IOException("fio did no I/O in the guest: let it run longer (--seconds)");
    }
    if (phase.equals(STAYS)) {
      without = figures;
    } else {
      with = figures;
      progress.println("spindle: fio verifies its data, the disk still moving");
    }
  }

  private static FioResult fio(JsonNode members) throws IOException {
    return FioResult.from(members.path("fio"));
  }

  private static String text(JsonNode members, String name) {
    return members.path(name).stringValue("");
  }
}
