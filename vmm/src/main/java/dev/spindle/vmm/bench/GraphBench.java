// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What nodes cost that only pass requests on: a backend on a throttle node without limits, on a raw
 * node, on a disk, beside a backend on the disk itself; in turns on one context. A disk that does
 * nothing shows every nanosecond; a file shows what matters.
 */
final class GraphBench {
  private static final int DEPTH = 32;

  private final Path file;
  private final int rounds;
  private final int seconds;
  private final PrintWriter out;

  GraphBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.seconds = seconds;
    this.out = out;
  }

  void run() throws IOException, OptionException {
    out.printf(
        "%-30s %12s %20s %7s  %s%n",
        "nanoseconds/request", "disk alone", "throttle, raw, disk", "ratio", "bytes allocated");
    compare("null-co 4k", Map.of("driver", "null-co"));
    Map<String, String> cached = new LinkedHashMap<>();
    cached.put("driver", "file");
    cached.put("filename", file.toString());
    cached.put("read-only", "on");
    compare("file 4k, page cache", cached);
    Map<String, String> direct = new LinkedHashMap<>(cached);
    direct.put("cache.direct", "on");
    compare("file 4k, O_DIRECT", direct);
  }

  private void compare(String name, Map<String, String> disk) throws IOException, OptionException {
    List<Double> alone = new ArrayList<>();
    List<Double> filtered = new ArrayList<>();
    List<Double> ratios = new ArrayList<>();
    List<Double> allocated = new ArrayList<>();
    try (GraphUnderTest graph = new GraphUnderTest(disk, DEPTH)) {
      long ns = seconds * 1_000_000_000L;
      graph.alone().run(ns);
      graph.filtered().run(ns);
      for (int round = 0; round < rounds; round++) {
        // Who goes first takes turns as well.
        RequestPump.Run first = (round % 2 == 0 ? graph.alone() : graph.filtered()).run(ns);
        RequestPump.Run second = (round % 2 == 0 ? graph.filtered() : graph.alone()).run(ns);
        RequestPump.Run direct = round % 2 == 0 ? first : second;
        RequestPump.Run through = round % 2 == 0 ? second : first;
        alone.add(direct.nsPerRequest());
        filtered.add(through.nsPerRequest());
        ratios.add(through.nsPerRequest() / direct.nsPerRequest());
        allocated.add(through.allocatedBytesPerRequest());
      }
    }
    out.println(
        String.format(
            Locale.ROOT,
            "%-30s %12.1f %20.1f %7.3f  %.3f",
            name + ", depth " + DEPTH,
            Median.of(alone),
            Median.of(filtered),
            Median.of(ratios),
            Median.of(allocated)));
    out.flush();
  }
}
