// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.spindle.block.aio.ContextOptions;
import dev.spindle.block.aio.IoThread;
import dev.spindle.block.aio.MainLoop;
import dev.spindle.block.driver.Disk;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ContextChange;
import dev.spindle.linux.Endpoint;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;

/** A node that an NBD server exports at a path, and other people's clients for it. */
final class NbdDisk implements AutoCloseable {
  static final String EXPORT = "disk";

  final MainLoop mainLoop = MainLoop.start();
  final IoThread io0 = IoThread.start("io0", ContextOptions.IOTHREAD);
  final IoThread io1 = IoThread.start("io1", ContextOptions.IOTHREAD);
  final BlockGraph graph = new BlockGraph(mainLoop);
  final Path path;
  final BlockNode node;
  final NbdServer server;
  NbdExport export;

  /** An export that can be written to. */
  NbdDisk(Path directory, String blockdev) throws Exception {
    this(directory, blockdev, options(true), 100, 60);
  }

  NbdDisk(
      Path directory,
      String blockdev,
      NbdExportOptions options,
      int maxConnections,
      int handshakeSeconds)
      throws Exception {
    path = directory.resolve("nbd.sock");
    Endpoint endpoint = new Endpoint.Unix(path);
    node = mainLoop.control("open", () -> graph.open(Disk.options(blockdev)));
    server =
        mainLoop.control(
            "listen",
            () ->
                NbdServer.start(
                    mainLoop,
                    new NbdServerOptions(endpoint, maxConnections, handshakeSeconds),
                    null));
    mainLoop.control(
        "export",
        () -> {
          export = new NbdExport("e0", node, options, server);
          return null;
        });
    move(io0);
  }

  static NbdExportOptions options(boolean writable) {
    return new NbdExportOptions(EXPORT, "what a test exports", writable, List.of(), true);
  }

  void move(IoThread target) throws Exception {
    mainLoop.control(
        "move",
        () -> {
          ContextChange.run(node, target.context());
          return null;
        });
  }

  /** For programs that know URIs. */
  String uri() {
    return "nbd+unix:///" + EXPORT + "?socket=" + path;
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
    mainLoop.control(
        "close",
        () -> {
          export.close();
          server.close();
          graph.closeAll();
          return null;
        });
    io0.close();
    io1.close();
    mainLoop.close();
  }
}
