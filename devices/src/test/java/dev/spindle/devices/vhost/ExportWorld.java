// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.GraphDump;
import dev.spindle.block.options.KeyValues;
import dev.spindle.block.options.Options;

/** Nodes, two iothreads and exports. */
final class ExportWorld implements AutoCloseable {
  final MainLoop mainLoop = MainLoop.start();
  final BlockGraph graph = new BlockGraph(mainLoop);
  final IoThread io0 = IoThread.start("io0", ContextOptions.IOTHREAD);
  final IoThread io1 = IoThread.start("io1", ContextOptions.IOTHREAD);
  final BlockExports exports = new BlockExports(mainLoop, graph, this::find);

  ExportWorld() throws Exception {}

  private AioContext find(String id) throws BlockException {
    return switch (id) {
      case "io0" -> io0.context();
      case "io1" -> io1.context();
      default -> throw new BlockException("Cannot find iothread " + id);
    };
  }

  /** Something done by control work. */
  interface Work {
    void run() throws Exception;
  }

  void control(Work work) throws Exception {
    mainLoop.<Void, Exception>control(
        "test",
        () -> {
          work.run();
          return null;
        });
  }

  void open(String blockdev) throws Exception {
    control(() -> graph.open(new Options("--blockdev", KeyValues.parse("", blockdev, null))));
  }

  void export(String export) throws Exception {
    control(() -> exports.open(new Options("--export", KeyValues.parse("", export, "type"))));
  }

  BlockNode node(String name) throws Exception {
    return mainLoop.<BlockNode, Exception>control("find", () -> graph.find(name));
  }

  /** How many requests of one of the graph's users are on their way. */
  int inFlight(String user) throws Exception {
    return mainLoop.<Integer, Exception>control(
        "dump",
        () ->
            GraphDump.of(graph).users().stream()
                .filter(candidate -> candidate.name().equals(user))
                .mapToInt(GraphDump.User::inFlight)
                .sum());
  }

  void move(String name, IoThread target) throws Exception {
    control(() -> ContextChange.run(graph.find(name), target.context()));
  }

  @Override
  public void close() throws Exception {
    exports.closeAll();
    control(graph::closeAll);
    io0.close();
    io1.close();
    mainLoop.close();
  }
}
