// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.export.BlockExports;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.block.graph.TestGraph;
import dev.spindle.block.object.UserObject;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** A node that an NBD server exports at a path, and other people's clients for it. */
final class NbdDisk implements AutoCloseable {
  private final TestGraph world = new TestGraph();
  final IoThread io0 = world.io0;
  final IoThread io1 = world.io1;
  final Path path;
  final BlockExports exports = new BlockExports(world.mainLoop, world.graph, this::context);
  final BlockNode node;

  /** An export that can be written to. */
  NbdDisk(Path directory, String blockdev) throws Exception {
    this(directory, blockdev, "", "writable=on");
  }

  /** An export that the user says more about, as of the server. */
  NbdDisk(Path directory, String blockdev, String serverOptions, String exportOptions)
      throws Exception {
    this(directory, blockdev, null, serverOptions, exportOptions);
  }

  /** An export by TLS, unless there is no object for it. */
  NbdDisk(
      Path directory,
      String blockdev,
      UserObject object,
      String serverOptions,
      String exportOptions)
      throws Exception {
    path = directory.resolve("nbd.sock");
    if (object != null) {
      control(() -> world.graph.objects().add(object));
    }
    node = world.open(blockdev);
    String server = "addr.type=unix,addr.path=" + path;
    control(() -> NbdServer.open(exports, options(server, serverOptions)));
    String export =
        "type=nbd,id=e0,iothread=io0,name=disk,description=what a test exports"
            + ",allocation-depth=on,node-name="
            + node.name();
    control(() -> exports.open(options(export, exportOptions)));
  }

  private static Options options(String first, String more) throws Exception {
    return Disk.options(more.isEmpty() ? first : first + "," + more);
  }

  private AioContext context(String ioThread) {
    return ioThread.equals("io0") ? io0.context() : io1.context();
  }

  BlockGraph graph() {
    return world.graph;
  }

  /** Runs control work that returns nothing. */
  void control(TestGraph.Work work) throws Exception {
    world.control(work);
  }

  void move(IoThread target) throws Exception {
    control(() -> ContextChange.run(node, target.context()));
  }

  /** For programs that know URIs. */
  String uri() {
    return "nbd+unix:///disk?socket=" + path;
  }

  SocketChannel connect() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(path));
  }

  /** Runs a program that must succeed, and returns what it printed. */
  static String run(String... command) throws Exception {
    Process process = start(command);
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), String.join(" ", command) + ": " + output);
    return output;
  }

  /** Runs a program, and returns what it printed, whether or not it succeeds. */
  static String attempt(String... command) throws Exception {
    return new String(start(command).getInputStream().readAllBytes(), UTF_8);
  }

  static Process start(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    return process;
  }

  @Override
  public void close() throws Exception {
    exports.closeAll();
    control(world.graph::closeAll);
    world.close();
  }
}
