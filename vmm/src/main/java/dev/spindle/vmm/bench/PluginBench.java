// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a request through the plain interface for drivers costs ({@code driver=java}): one that does
 * nothing beside {@code null-co}, which does as little, and a filter that does nothing beside the
 * disk that it stands before; in turns on one context.
 */
final class PluginBench {
  private static final String DISK =
      """
      import dev.spindle.block.options.*;
      import dev.spindle.block.plugin.*;
      import java.lang.foreign.MemorySegment;

      class Nothing implements DiskDriver {
        private boolean parallel;
        private boolean ownThreads;

        public void configure(Options options) throws OptionException {
          parallel = options.bool("parallel", true);
          ownThreads = options.bool("own-threads", false);
        }

        public ThreadModel threadModel() {
          return parallel ? ThreadModel.PARALLEL : ThreadModel.SERIALIZED;
        }

        public boolean needsOwnThreads() { return ownThreads; }
        public long size() { return 1L << 30; }
        public void read(MemorySegment data, long offset) {}
      }
      """;
  private static final String FILTER =
      """
      import dev.spindle.block.plugin.*;

      class Nothing implements DiskFilter {
        public ThreadModel threadModel() { return ThreadModel.PARALLEL; }
      }
      """;

  private final Path file;
  private final int rounds;
  private final long runNs;
  private final PrintWriter out;

  /**
   * Prepares.
   *
   * @param file whose blocks are read
   */
  PluginBench(Path file, int rounds, int seconds, PrintWriter out) {
    this.file = file;
    this.rounds = rounds;
    this.runNs = seconds * 1_000_000_000L;
    this.out = out;
  }

  void run() throws IOException, OptionException {
    Path folder = Remains.make(() -> Files.createTempDirectory("spindle-bench-"));
    Path disk = folder.resolve("Disk.java");
    Path filter = folder.resolve("Filter.java");
    try {
      Files.writeString(disk, DISK);
      Files.writeString(filter, FILTER);
      Pair.printHeader(out, "null-co", "driver of one's own");
      compareDisks("parallel, depth 32", disk, Map.of(), 32);
      compareDisks("parallel, depth 1", disk, Map.of(), 1);
      compareDisks("one after another, depth 32", disk, Map.of("parallel", "off"), 32);
      compareDisks("threads of its own, depth 32", disk, Map.of("own-threads", "on"), 32);
      compareDisks("threads of its own, depth 1", disk, Map.of("own-threads", "on"), 1);
      out.println();
      Pair.printHeader(out, "disk alone", "filter of one's own");
      compareFilter("null-co, depth 32", filter, Map.of("driver", "null-co"));
      compareFilter(
          "file, O_DIRECT, depth 32",
          filter,
          Map.of("driver", "file", "filename", file.toString(), "cache.direct", "on"));
      out.println();
    } finally {
      Remains.delete(folder);
    }
  }

  private static Map<String, String> java(String name, Path source, Map<String, String> more) {
    Map<String, String> description = new LinkedHashMap<>(more);
    description.put("driver", "java");
    description.put("node-name", name);
    description.put("source", source.toString());
    return description;
  }

  private void compareDisks(String name, Path source, Map<String, String> options, int depth)
      throws IOException, OptionException {
    try (GraphUnderTest graph = new GraphUnderTest()) {
      BlockNode nothing = graph.open(Map.of("driver", "null-co", "node-name", "null"));
      BlockNode own = graph.open(java("own", source, options));
      compare(name, graph, nothing, own, depth);
    }
  }

  private void compareFilter(String name, Path source, Map<String, String> disk)
      throws IOException, OptionException {
    try (GraphUnderTest graph = new GraphUnderTest()) {
      Map<String, String> named = new LinkedHashMap<>(disk);
      named.put("node-name", "disk");
      BlockNode below = graph.open(named);
      compare(name, graph, below, graph.open(java("own", source, Map.of("file", "disk"))), 32);
    }
  }

  private void compare(
      String name, GraphUnderTest graph, BlockNode first, BlockNode second, int depth)
      throws IOException {
    RequestPump one = graph.pump(first, Operation.READ, depth);
    RequestPump other = graph.pump(second, Operation.READ, depth);
    new Pair(one::run, other::run, rounds, runNs).print(out, name);
  }
}
