// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;

/**
 * A disk that moves between two iothreads with 32 requests in flight: how long a move holds I/O
 * back, beside how long the disk takes for a request when it stays where it is; in turns.
 */
final class MoveBench {
  private static final Workload WORKLOAD = Workload.random(false, 32);
  private static final long WARM_UP_NS = 4_000_000_000L;

  /** From the end of a move to the beginning of the next. */
  private static final long PAUSE_NS = 10_000_000;

  private final Path file;
  private final int rounds;
  private final long runNs;
  private final PrintWriter out;

  MoveBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.runNs = seconds * 1_000_000_000L;
    this.out = out;
  }

  /** Measures how long each request takes. */
  private static final class Latencies implements SlotWatch {
    private final long[] sentAtNs = new long[WORKLOAD.depth()];
    private final Distribution times = new Distribution();

    @Override
    public void sent(int slot) {
      sentAtNs[slot] = System.nanoTime();
    }

    @Override
    public void answered(int slot) {
      times.add(System.nanoTime() - sentAtNs[slot]);
    }
  }

  void run() throws IOException, OptionException {
    Map<String, String> blockdev =
        Map.of(
            "driver", "file",
            "node-name", "bench",
            "filename", file.toString(),
            "cache.direct", "on");
    Latencies staying = new Latencies();
    Latencies moving = new Latencies();
    Distribution holds = new Distribution();
    List<Double> iopsStaying = new ArrayList<>();
    List<Double> iopsMoving = new ArrayList<>();
    try (DeviceUnderTest device = new DeviceUnderTest(blockdev, WORKLOAD.depth())) {
      moving(device, WARM_UP_NS, SlotWatch.NONE, new Distribution());
      for (int round = 0; round < rounds; round++) {
        iopsStaying.add(device.run(WORKLOAD, runNs, staying).requestsPerSecond());
        iopsMoving.add(moving(device, runNs, moving, holds));
      }
    }
    out.println(Distribution.header("moves, " + WORKLOAD + ", µs"));
    out.println(staying.times.row("a request, the disk stays"));
    out.println(moving.times.row("a request, the disk moves"));
    out.println(holds.row("a move holds I/O back"));
    out.println(
        String.format(
            Locale.ROOT,
            "hold beside a request, medians: %.2f; IOPS, the disk stays: %.0f, moves: %.0f",
            holds.microseconds(0.5) / staying.times.microseconds(0.5),
            Median.of(iopsStaying),
            Median.of(iopsMoving)));
    out.println();
    out.flush();
  }

  /** Runs while another thread moves the disk to and fro; requests per second. */
  private static double moving(
      DeviceUnderTest device, long forNs, SlotWatch watch, Distribution holds) throws IOException {
    CompletableFuture<Void> end = new CompletableFuture<>();
    CompletableFuture<Void> mover =
        CompletableFuture.runAsync(
            () -> {
              while (!end.isDone()) {
                LockSupport.parkNanos(PAUSE_NS);
                holds.add(device.move());
              }
            });
    double requestsPerSecond;
    try {
      requestsPerSecond = device.run(WORKLOAD, forNs, watch).requestsPerSecond();
    } finally {
      end.complete(null);
      mover.join();
    }
    return requestsPerSecond;
  }
}
