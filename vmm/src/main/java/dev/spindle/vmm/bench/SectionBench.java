// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;

/** How long a drained section takes, from beginning to end, where nothing is in flight. */
final class SectionBench {
  private static final int NODES = 10;
  private static final int WARM_UP = 20_000;
  private static final int AT_ONCE = 5_000;
  private static final int APART = 500;

  private final int rounds;
  private final PrintWriter out;

  SectionBench(int rounds, PrintWriter out) {
    this.rounds = rounds;
    this.out = out;
  }

  void run() throws IOException, OptionException {
    try (GraphUnderTest graph = new GraphUnderTest()) {
      BlockNode top = chain(graph);
      graph.openLane(top, Operation.READ);
      Distribution atOnce = new Distribution();
      Distribution apart = new Distribution();
      measure(graph, top, WARM_UP, Duration.ZERO, new Distribution());
      for (int round = 0; round < rounds; round++) {
        measure(graph, top, AT_ONCE, Duration.ZERO, atOnce);
        measure(graph, top, APART, Duration.ofMillis(1), apart);
      }
      out.println(Distribution.header("drained section, 10 nodes, µs"));
      out.println(atOnce.row("one after another"));
      out.println(apart.row("1 ms apart: all threads asleep"));
      out.println();
      out.flush();
    }
  }

  /** A disk, and alternately raw and throttle nodes on it. */
  private static BlockNode chain(GraphUnderTest graph) throws IOException, OptionException {
    BlockNode top = graph.open(Map.of("driver", "null-co", "node-name", "node0"));
    for (int i = 1; i < NODES; i++) {
      String name = "node" + i;
      top = i % 2 == 1 ? graph.openRaw(name, top.name()) : graph.openThrottle(name, top.name());
    }
    return top;
  }

  private static void measure(
      GraphUnderTest graph, BlockNode node, int sections, Duration pause, Distribution times) {
    try {
      graph.<Void, InterruptedException>control(
          () -> {
            for (int i = 0; i < sections; i++) {
              if (pause.isPositive()) {
                Thread.sleep(pause);
              }
              long start = System.nanoTime();
              DrainedSection.begin(node).close();
              times.add(System.nanoTime() - start);
            }
            return null;
          });
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts control work", e);
    }
  }
}
