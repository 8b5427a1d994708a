// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextCall;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.job.Jobs;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleLimits;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A graph with users on one iothread. Any thread that may wait, one at a time. */
public final class GraphUnderTest implements AutoCloseable {
  /** A throttle group without limits. */
  static final String GROUP = "group";

  private final MainLoop mainLoop;
  private final BlockGraph graph;
  private final Jobs jobs;
  private final IoThread ioThread;
  private final List<BlockBackend> backends = new ArrayList<>();
  private final List<BackendLane> lanes = new ArrayList<>();

  /** Begins without nodes. */
  public GraphUnderTest() throws IOException {
    mainLoop = MainLoop.start();
    graph = new BlockGraph(mainLoop);
    jobs = new Jobs(mainLoop);
    ioThread = IoThread.start("io0", ContextOptions.IOTHREAD);
    control(() -> graph.throttleGroups().add(GROUP, ThrottleLimits.NONE));
  }

  BlockGraph graph() {
    return graph;
  }

  Jobs jobs() {
    return jobs;
  }

  /** Does control work. */
  <T, E extends Exception> T control(ContextCall<T, E> work) throws E {
    return mainLoop.control("bench", work);
  }

  /** Opens a node. */
  public BlockNode open(Map<String, String> description) throws IOException, OptionException {
    try {
      return this.<BlockNode, Exception>control(
          () -> graph.open(new Options("bench", description)));
    } catch (IOException | OptionException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** Opens a raw node on another node. */
  BlockNode openRaw(String name, String file) throws IOException, OptionException {
    return open(Map.of("driver", "raw", "node-name", name, "file", file));
  }

  /** Opens a throttle node without limits on another node. */
  BlockNode openThrottle(String name, String file) throws IOException, OptionException {
    return open(
        Map.of("driver", "throttle", "node-name", name, "throttle-group", GROUP, "file", file));
  }

  /** The iothread's context. */
  public AioContext context() {
    return ioThread.context();
  }

  /** Opens a way into a node for a user on the iothread who reads, or writes. */
  BackendLane openLane(BlockNode node, Operation operation) throws BlockException {
    return openLane(
        node,
        EnumSet.of(operation == Operation.READ ? Permission.CONSISTENT_READ : Permission.WRITE));
  }

  /** Opens a way into a node for a user on the iothread with these permissions. */
  public BackendLane openLane(BlockNode node, Set<Permission> used) throws BlockException {
    BackendUser user = () -> "bench";
    AioContext context = ioThread.context();
    BlockBackend backend = control(() -> new BlockBackend(node, user, used, Permission.all()));
    backends.add(backend);
    BackendLane lane = context.call(() -> backend.openLane(context));
    lanes.add(lane);
    return lane;
  }

  /** Makes what sends requests of one kind to a node, through a way of its own. */
  RequestPump pump(BlockNode node, Operation operation, int depth) throws BlockException {
    MemorySegment memory =
        Arena.ofAuto().allocate((long) depth * Workload.BLOCK_BYTES, Workload.BLOCK_BYTES);
    // Zeroes might not be written as data are.
    memory.fill((byte) 0x5a);
    return new RequestPump(
        openLane(node, operation), operation, ioThread.threadId(), node.length(), memory);
  }

  @Override
  public void close() throws IOException {
    lanes.forEach(BackendLane::closeInContext);
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
