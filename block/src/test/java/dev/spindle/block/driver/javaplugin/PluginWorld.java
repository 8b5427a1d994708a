// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.driver.TestRequest;
import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.options.Options;
import dev.spindle.block.plugin.DiskPlugin;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Nodes with plugins, and users of them. */
final class PluginWorld implements AutoCloseable {
  final TestGraph test = new TestGraph();
  private final List<BlockBackend> backends = new ArrayList<>();
  private final List<BackendLane> lanes = new ArrayList<>();

  PluginWorld() throws Exception {}

  /** Opens a node as a user describes it. */
  BlockNode open(String description) throws Exception {
    return test.open(description);
  }

  /** Opens a node with a plugin of the test's, with options as {@code driver=java} leaves them. */
  BlockNode open(String name, DiskPlugin plugin, String options) throws Exception {
    return test.get(
        () -> {
          Options given = Disk.options("node=" + name + (options.isEmpty() ? "" : "," + options));
          given.string("node");
          LoadedPlugin loaded = new LoadedPlugin(plugin, () -> {}, "of the test");
          return test.graph.add(
              PluginDescription.read("java", loaded, PluginDescription.opening(given), given)
                  .open(test.graph, name));
        });
  }

  /** Makes a user of a node on an iothread. */
  BackendLane use(BlockNode node, IoThread thread) throws Exception {
    BlockBackend backend = test.use(node, "user of " + node.name());
    backends.add(backend);
    BackendLane lane = test.lane(backend, thread);
    lanes.add(lane);
    return lane;
  }

  static MemorySegment memory(byte... bytes) {
    MemorySegment memory = Arena.ofAuto().allocate(bytes.length, 4096);
    MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return memory;
  }

  static int run(BackendLane lane, TestRequest request) {
    return TestGraph.send(lane, request).result.join();
  }

  static int write(BackendLane lane, long offset, byte... bytes) {
    return run(lane, TestRequest.transfer(Operation.WRITE, offset, memory(bytes)));
  }

  static int range(BackendLane lane, Operation operation, long offset, long length) {
    return run(lane, TestRequest.range(operation, offset, length));
  }

  /** Reads what must be readable. */
  static byte[] read(BackendLane lane, long offset, int length) {
    MemorySegment memory = memory(new byte[length]);
    memory.fill((byte) 0xee);
    int result = run(lane, TestRequest.transfer(Operation.READ, offset, memory));
    if (result != 0) {
      throw new AssertionError("read ended with " + result);
    }
    return memory.toArray(ValueLayout.JAVA_BYTE);
  }

  /** Reads what may not be readable. */
  static int tryRead(BackendLane lane, long offset, int length) {
    return run(lane, TestRequest.transfer(Operation.READ, offset, memory(new byte[length])));
  }

  /** Ends the users, and closes every node. */
  void closeNodes() throws Exception {
    lanes.forEach(test::closeLane);
    lanes.clear();
    test.control(
        () -> {
          backends.forEach(BlockBackend::close);
          backends.clear();
          test.graph.closeAll();
        });
  }

  @Override
  public void close() throws Exception {
    closeNodes();
    test.close();
  }
}
