// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What nodes and bitmaps cost each request: a backend on a throttle node without limits, on a raw
 * node, on a disk, beside a backend on the disk itself; and writes to a node with a dirty bitmap
 * beside writes to a node without; in turns on one context. A disk that does nothing shows every
 * nanosecond; a file shows what matters.
 */
final class GraphBench {
  private static final int DEPTH = 32;

  private final Path file;
  private final int rounds;
  private final long runNs;
  private final PrintWriter out;

  GraphBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.runNs = seconds * 1_000_000_000L;
    this.out = out;
  }

  void run() throws IOException, OptionException {
    Map<String, String> nothing = Map.of("driver", "null-co", "node-name", "disk");
    Map<String, String> cached = new LinkedHashMap<>();
    cached.put("driver", "file");
    cached.put("node-name", "disk");
    cached.put("filename", file.toString());
    Map<String, String> direct = new LinkedHashMap<>(cached);
    direct.put("cache.direct", "on");
    Pair.printHeader(out, "disk alone", "throttle, raw, disk");
    compareFilters("null-co 4k", nothing);
    compareFilters("file 4k, page cache", cached);
    compareFilters("file 4k, O_DIRECT", direct);
    out.println();
    Pair.printHeader(out, "no bitmap", "dirty bitmap");
    compareBitmap("null-co 4k writes, marked before", nothing, false);
    compareBitmap("null-co 4k writes, clean before", nothing, true);
    compareBitmap("file 4k writes, O_DIRECT", direct, true);
    out.println();
  }

  private void compareFilters(String name, Map<String, String> disk)
      throws IOException, OptionException {
    try (GraphUnderTest graph = new GraphUnderTest()) {
      BlockNode lowest = graph.open(disk);
      graph.openRaw("raw", "disk");
      BlockNode top = graph.openThrottle("top", "raw");
      RequestPump alone = graph.pump(lowest, Operation.READ, DEPTH);
      RequestPump filtered = graph.pump(top, Operation.READ, DEPTH);
      new Pair(alone::run, filtered::run, rounds, runNs).print(out, name);
    }
  }

  /**
   * Two raw nodes on one disk, so that both do the same but for the bitmap.
   *
   * @param clean whether the bitmap is emptied now and then, so that most writes find it so
   */
  private void compareBitmap(String name, Map<String, String> disk, boolean clean)
      throws IOException, OptionException {
    try (GraphUnderTest graph = new GraphUnderTest()) {
      graph.open(disk);
      BlockNode plain = graph.openRaw("plain", "disk");
      BlockNode marked = graph.openRaw("marked", "disk");
      OptionalLong granularity = OptionalLong.of(Workload.BLOCK_BYTES);
      DirtyBitmap bitmap = graph.control(() -> marked.bitmaps().add("bitmap", granularity));
      RequestPump without = graph.pump(plain, Operation.WRITE, DEPTH);
      RequestPump with = graph.pump(marked, Operation.WRITE, DEPTH);
      Runnable before = clean ? bitmap.bits()::clear : () -> {};
      new Pair(without::run, ns -> with.run(ns, before), rounds, runNs).print(out, name);
    }
  }
}
