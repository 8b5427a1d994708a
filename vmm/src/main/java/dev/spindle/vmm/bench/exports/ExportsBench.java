// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.Median;
import dev.spindle.vmm.bench.Workload;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Spindle's exports beside other programs that serve the same disk, each driven by the same client,
 * in turns. All servers of a disk run all the time; who is not being measured has nothing to do.
 */
public final class ExportsBench {
  /** Runs of each server that do not count: until the JIT compiler has done its work. */
  private static final int WARM_UP_SECONDS = 4;

  private final Path file;
  private final int rounds;
  private final int seconds;
  private final PrintWriter out;
  private final List<BarChart.Group> bars = new ArrayList<>();

  /**
   * Makes a benchmark.
   *
   * @param file is read and overwritten
   * @param rounds runs of each
   * @param seconds length of a run
   */
  public ExportsBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.seconds = seconds;
    this.out = out;
  }

  /**
   * Runs it.
   *
   * @param all whether every combination of disk, depth, length and queues is measured, which takes
   *     hours, rather than those that tell most
   * @param plot where to draw the figures, as SVG
   * @throws IOException with a sentence for the user
   */
  public void run(boolean all, Optional<Path> plot)
      throws IOException, InterruptedException, OptionException {
    for (ExportGroup group : all ? ExportGroup.all() : ExportGroup.most()) {
      measure(group);
    }
    if (plot.isPresent()) {
      Files.writeString(plot.get(), new BarChart("requests a second", bars).svg());
    }
  }

  private void measure(ExportGroup group)
      throws IOException, InterruptedException, OptionException {
    List<Contender> contenders = new ArrayList<>();
    try {
      for (ServerProgram program : ServerProgram.values()) {
        if (program.serves(group.protocol(), group.disk())) {
          contenders.add(
              new ServedContender(program, group.protocol(), group.disk(), group.queues(), file));
        }
      }
      if (group.protocol() == Protocol.VHOST_USER_BLK && group.disk() == ServedDisk.DIRECT) {
        contenders.add(new FioContender(file));
      }
      out.printf(
          "%-44s %9s %9s %9s %9s  %s%n",
          group, "IOPS", "p50 µs", "p99 µs", "CPU µs", "ratios of Spindle: IOPS, CPU");
      for (Workload workload : group.workloads()) {
        compare(group, workload, contenders);
      }
      out.println();
      out.flush();
    } finally {
      for (Contender contender : contenders) {
        contender.close();
      }
    }
  }

  private void compare(ExportGroup group, Workload workload, List<Contender> contenders)
      throws IOException, InterruptedException {
    List<List<Showing>> runs = new ArrayList<>();
    for (Contender contender : contenders) {
      contender.run(workload, WARM_UP_SECONDS);
      runs.add(new ArrayList<>());
    }
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < contenders.size(); i++) {
        // Who goes first takes turns as well.
        int turn = (round + i) % contenders.size();
        runs.get(turn).add(contenders.get(turn).run(workload, seconds));
      }
    }
    List<BarChart.Bar> ofWorkload = new ArrayList<>();
    for (int i = 0; i < contenders.size(); i++) {
      String title = contenders.get(i).title();
      Showing median = Showing.medianOf(runs.get(i));
      String ratios = i == 0 ? "" : ratios(runs.getFirst(), runs.get(i));
      out.println(row(i == 0 ? workload.toString() : "", title, median, ratios));
      out.flush();
      ofWorkload.add(new BarChart.Bar(title, median.iops(), ratios));
    }
    bars.add(new BarChart.Group(group + ": " + workload, ofWorkload));
  }

  private static String row(String workload, String title, Showing median, String ratios) {
    return String.format(
        Locale.ROOT,
        "%-23s %-20s %9.0f %9.1f %9.1f %9s  %s",
        workload,
        title,
        median.iops(),
        median.medianUs(),
        median.p99Us(),
        median.cpuUs().isPresent()
            ? String.format(Locale.ROOT, "%.2f", median.cpuUs().getAsDouble())
            : "-",
        ratios);
  }

  /** Medians of the ratios within each round, in which the machine was the same for both. */
  private static String ratios(List<Showing> own, List<Showing> others) {
    List<Double> iops = new ArrayList<>();
    List<Double> cpu = new ArrayList<>();
    for (int round = 0; round < own.size(); round++) {
      iops.add(own.get(round).iops() / others.get(round).iops());
      OptionalDouble other = others.get(round).cpuUs();
      if (other.isPresent() && other.getAsDouble() > 0) {
        cpu.add(own.get(round).cpuUs().orElseThrow() / other.getAsDouble());
      }
    }
    String ratio = String.format(Locale.ROOT, "%.2f", Median.of(iops));
    return cpu.isEmpty() ? ratio : ratio + String.format(Locale.ROOT, ", %.2f", Median.of(cpu));
  }
}
