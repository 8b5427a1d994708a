// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.vmm.guest.GuestFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** fio in a guest under Spindle, beside the same guest under QEMU, in turns; both on KVM. */
final class GuestBench {
  private static final long DISK_BYTES = 256L << 20;
  private static final int[] DEPTHS = {32, 1};

  private final GuestFiles files;
  private final int rounds;
  private final int seconds;
  private final PrintWriter out;

  GuestBench(GuestFiles files, int rounds, int seconds, PrintWriter out) {
    this.files = files;
    this.rounds = rounds;
    this.seconds = seconds;
    this.out = out;
  }

  void run() throws IOException, InterruptedException {
    Path disk =
        Remains.make(
            () -> Files.createTempFile(Path.of("").toAbsolutePath(), "spindle-bench-", ".raw"));
    try {
      byte[] block = new byte[1 << 20];
      try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
        for (long written = 0; written < DISK_BYTES; written += block.length) {
          file.write(block);
        }
      }
      out.printf("%n%-34s %10s %10s %7s%n", "guest on KVM", "Spindle", "QEMU", "ratio");
      for (int depth : DEPTHS) {
        compare(disk, depth);
      }
    } finally {
      Remains.delete(disk);
    }
  }

  private void compare(Path disk, int depth) throws IOException, InterruptedException {
    String parameters =
        "spindle.job=fio spindle.fio.device=/dev/vdb spindle.fio.rw=randread spindle.fio.iodepth="
            + depth
            + " spindle.fio.runtime="
            + seconds;
    Map<GuestPeer, List<GuestRun>> runs = new EnumMap<>(GuestPeer.class);
    for (int round = 0; round < rounds; round++) {
      for (GuestPeer peer : GuestPeer.values()) {
        runs.computeIfAbsent(peer, p -> new ArrayList<>())
            .add(GuestRun.of(peer.command(files, disk, parameters)));
      }
    }
    row("randread 4k, depth " + depth + ", IOPS", "%.0f", runs, run -> run.fio().iops());
    row("  mean latency, µs", "%.0f", runs, run -> run.fio().meanLatencyUs());
    row("  start to the guest's init, s", "%.2f", runs, GuestRun::initSeconds);
    out.println(
        String.format(
            Locale.ROOT,
            "%-34s %10.0f",
            "  own resident memory, MiB",
            Median.of(runs.get(GuestPeer.SPINDLE).stream().map(GuestRun::ownMemoryMib).toList())));
    out.flush();
  }

  private void row(
      String what,
      String format,
      Map<GuestPeer, List<GuestRun>> runs,
      ToDoubleFunction<GuestRun> figure) {
    List<Double> own = figures(runs.get(GuestPeer.SPINDLE), figure);
    List<Double> peer = figures(runs.get(GuestPeer.QEMU), figure);
    List<Double> ratios = new ArrayList<>();
    for (int i = 0; i < own.size(); i++) {
      ratios.add(own.get(i) / peer.get(i));
    }
    out.println(
        String.format(
            Locale.ROOT,
            "%-34s %10s %10s %7.2f",
            what,
            String.format(Locale.ROOT, format, Median.of(own)),
            String.format(Locale.ROOT, format, Median.of(peer)),
            Median.of(ratios)));
  }

  private static List<Double> figures(List<GuestRun> runs, ToDoubleFunction<GuestRun> figure) {
    return runs.stream().map(figure::applyAsDouble).toList();
  }
}
