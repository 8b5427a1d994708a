// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.DeviceUnderTest.Run;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The device path without KVM: beside fio on the same file, in turns, and on a disk that does
 * nothing.
 */
final class DeviceBench {
  private static final List<Workload> WORKLOADS =
      List.of(
          Workload.random(false, 1),
          Workload.random(true, 1),
          Workload.random(false, 32),
          Workload.random(true, 32));
  private static final Workload NULL_WORKLOAD = Workload.random(false, 32);

  private final Path file;
  private final int rounds;
  private final int seconds;
  private final PrintWriter out;

  DeviceBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.seconds = seconds;
    this.out = out;
  }

  void run() throws IOException, OptionException, InterruptedException {
    out.printf(
        "%-26s %12s %12s %7s  %s%n",
        "device path, no KVM", "Spindle", "fio", "ratio", "bytes allocated/request");
    FioPeer fio = FioPeer.onFile(file);
    Map<String, String> blockdev =
        Map.of(
            "driver", "file",
            "node-name", "bench",
            "filename", file.toString(),
            "cache.direct", "on");
    for (Workload workload : WORKLOADS) {
      List<Double> own = new ArrayList<>();
      List<Double> peer = new ArrayList<>();
      List<Double> ratios = new ArrayList<>();
      List<Double> allocated = new ArrayList<>();
      try (DeviceUnderTest device = new DeviceUnderTest(blockdev, workload.depth())) {
        warmUp(device, workload);
        for (int round = 0; round < rounds; round++) {
          Run run = device.run(workload, seconds * 1_000_000_000L);
          double beside = fio.run(workload, seconds).iops();
          own.add(run.requestsPerSecond());
          peer.add(beside);
          ratios.add(run.requestsPerSecond() / beside);
          allocated.add(run.allocatedBytesPerRequest());
        }
      }
      out.println(
          String.format(
              Locale.ROOT,
              "%-26s %12.0f %12.0f %7.2f  %.3f",
              workload,
              Median.of(own),
              Median.of(peer),
              Median.of(ratios),
              Median.of(allocated)));
      out.flush();
    }
    runNull();
  }

  private void runNull() throws IOException, OptionException {
    Map<String, String> blockdev = Map.of("driver", "null-co", "node-name", "bench");
    List<Double> own = new ArrayList<>();
    List<Double> allocated = new ArrayList<>();
    try (DeviceUnderTest device = new DeviceUnderTest(blockdev, NULL_WORKLOAD.depth())) {
      warmUp(device, NULL_WORKLOAD);
      for (int round = 0; round < rounds; round++) {
        Run run = device.run(NULL_WORKLOAD, seconds * 1_000_000_000L);
        own.add(run.requestsPerSecond());
        allocated.add(run.allocatedBytesPerRequest());
      }
    }
    out.println(
        String.format(
            Locale.ROOT,
            "%-26s %12.0f %12s %7s  %.3f",
            "null-co 4k, depth " + NULL_WORKLOAD.depth(),
            Median.of(own),
            "-",
            "-",
            Median.of(allocated)));
  }

  /** Until the JIT compiler has done its work; nothing of it is counted. */
  private static void warmUp(DeviceUnderTest device, Workload workload) throws IOException {
    device.run(workload, 4_000_000_000L);
  }
}
