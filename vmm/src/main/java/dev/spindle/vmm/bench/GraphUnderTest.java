// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One disk with two users on one iothread: one directly, the other through throttle and raw. */
final class GraphUnderTest implements AutoCloseable {
  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final IoThread ioThread;
  private final List<BlockBackend> backends = new ArrayList<>();
  private final List<BackendLane> lanes = new ArrayList<>();
  private final RequestPump alone;
  private final RequestPump filtered;

  GraphUnderTest(Map<String, String> disk, int depth) throws IOException, OptionException {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    ioThread = IoThread.start("io0", ContextOptions.IOTHREAD);
    Map<String, String> named = new LinkedHashMap<>(disk);
    named.put("node-name", "disk");
    BlockNode lowest = open(named);
    mainLoop.<Object, IOException>control(
        "group", () -> graph.throttleGroups().add("group", ThrottleLimits.NONE));
    open(Map.of("driver", "raw", "node-name", "raw", "file", "disk"));
    BlockNode top =
        open(
            Map.of(
                "driver",
                "throttle",
                "node-name",
                "top",
                "throttle-group",
                "group",
                "file",
                "raw"));
    alone = pump(lowest, depth);
    filtered = pump(top, depth);
  }

  private BlockNode open(Map<String, String> description) throws IOException, OptionException {
    try {
      return mainLoop.<BlockNode, Exception>control(
          "open", () -> graph.open(new Options("bench", description)));
    } catch (IOException | OptionException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private RequestPump pump(BlockNode node, int depth) throws BlockException {
    BackendUser user = () -> "bench";
    AioContext context = ioThread.context();
    BlockBackend backend =
        mainLoop.<BlockBackend, BlockException>control(
            "attach",
            () ->
                new BlockBackend(
                    node, user, EnumSet.of(Permission.CONSISTENT_READ), Permission.all()));
    backends.add(backend);
    BackendLane lane = context.call(() -> backend.openLane(context));
    lanes.add(lane);
    MemorySegment memory =
        Arena.ofAuto().allocate((long) depth * Workload.BLOCK_BYTES, Workload.BLOCK_BYTES);
    return new RequestPump(lane, ioThread.threadId(), node.length(), memory);
  }

  RequestPump alone() {
    return alone;
  }

  RequestPump filtered() {
    return filtered;
  }

  @Override
  public void close() throws IOException {
    for (BackendLane lane : lanes) {
      ioThread
          .context()
          .call(
              () -> {
                lane.close();
                return null;
              });
    }
    mainLoop.<Void, IOException>control(
        "close",
        () -> {
          backends.forEach(BlockBackend::close);
          graph.closeAll();
          return null;
        });
    ioThread.close();
    mainLoop.close();
  }
}
