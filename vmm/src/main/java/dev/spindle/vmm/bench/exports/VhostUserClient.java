// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.GraphUnderTest;
import dev.spindle.vmm.bench.Workload;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The project's own vhost-user-blk front end, in this process, on one thread. */
final class VhostUserClient implements ExportClient {
  private static final int MOST_DEPTH = 32;
  private static final int MOST_BLOCK_BYTES = 128 << 10;
  private static final int PAGE_BYTES = 4096;

  /** How long a server may be silent once a run should be over. */
  private static final long GRACE_SECONDS = 60;

  private final GraphUnderTest graph;
  private final List<TimedPump> pumps = new ArrayList<>();

  /**
   * Connects.
   *
   * @param queues that requests are spread over
   * @throws IOException with a sentence for the user, if that fails
   */
  VhostUserClient(Path socket, int queues) throws IOException, OptionException {
    graph = new GraphUnderTest();
    try {
      BlockNode node =
          graph.open(
              Map.of(
                  "driver",
                  "virtio-blk-vhost-user",
                  "node-name",
                  "client",
                  "path",
                  socket.toString(),
                  "num-queues",
                  Integer.toString(queues)));
      for (int queue = 0; queue < queues; queue++) {
        BackendLane lane =
            graph.openLane(node, EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE));
        // Zeroes might not be written as data are.
        MemorySegment memory =
            Arena.ofAuto()
                .allocate((long) MOST_DEPTH * MOST_BLOCK_BYTES, PAGE_BYTES)
                .fill((byte) 0x5a);
        pumps.add(new TimedPump(lane, node.length(), memory, MOST_DEPTH));
      }
    } catch (IOException | OptionException | RuntimeException e) {
      graph.close();
      throw e;
    }
  }

  @Override
  public Seen run(Workload workload, int seconds) throws IOException, InterruptedException {
    // One request cannot be spread.
    List<TimedPump> used = pumps.subList(0, Math.min(pumps.size(), workload.depth()));
    List<CompletableFuture<Long>> runs =
        graph
            .context()
            .call(
                () ->
                    used.stream()
                        .map(
                            pump ->
                                pump.start(
                                    workload,
                                    workload.depth() / used.size(),
                                    TimeUnit.SECONDS.toNanos(seconds)))
                        .toList());
    double ns = 0;
    LatencyHistogram latencies = new LatencyHistogram();
    try {
      for (int i = 0; i < used.size(); i++) {
        ns = Math.max(ns, runs.get(i).get(seconds + GRACE_SECONDS, TimeUnit.SECONDS));
        latencies.add(used.get(i).latencies());
      }
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    } catch (TimeoutException e) {
      throw new IOException("the server does not answer", e);
    }
    return new Seen(
        latencies.total(),
        ns / 1e9,
        latencies.percentile(0.5) / 1e3,
        latencies.percentile(0.99) / 1e3);
  }

  @Override
  public void close() throws IOException {
    graph.close();
  }
}
