// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An NBD server that somebody else wrote, at a path. */
final class NbdPeer implements AutoCloseable {
  final Path socket;
  private final List<String> command;
  private final Path output;
  private Process process;

  private NbdPeer(Path directory, Path socket, List<String> command) throws IOException {
    this.socket = socket;
    this.command = command;
    this.output = directory.resolve("server.log");
    start();
  }

  /** nbdkit, with what follows the socket on its command line. */
  static NbdPeer nbdkit(Path directory, String... more) throws IOException {
    Path socket = directory.resolve("nbdkit.sock");
    List<String> command = new ArrayList<>(List.of("nbdkit", "-f", "--exit-with-parent"));
    command.addAll(List.of("-U", socket.toString()));
    command.addAll(List.of(more));
    return new NbdPeer(directory, socket, command);
  }

  /** As the other one, on a port of this machine. */
  static NbdPeer tcp(Path directory, int port, String... more) throws IOException {
    List<String> command = new ArrayList<>(List.of("nbdkit", "-f", "--exit-with-parent"));
    command.addAll(List.of("-i", "localhost", "-p", Integer.toString(port)));
    command.addAll(List.of(more));
    return new NbdPeer(directory, directory.resolve("none"), command);
  }

  /** qemu-nbd, which stays although its clients leave. */
  static NbdPeer qemuNbd(Path directory, Path image, String... more) throws IOException {
    Path socket = directory.resolve("qemu-nbd.sock");
    List<String> command = new ArrayList<>(List.of("qemu-nbd", "-t", "-f", "raw"));
    command.addAll(List.of("-k", socket.toString()));
    command.addAll(List.of(more));
    command.add(image.toString());
    return new NbdPeer(directory, socket, command);
  }

  /** qemu-storage-daemon with one export, {@code disk}. */
  static NbdPeer storageDaemon(Path directory, Path image) throws IOException {
    Path socket = directory.resolve("daemon.sock");
    return new NbdPeer(
        directory,
        socket,
        List.of(
            "qemu-storage-daemon",
            "--blockdev",
            "driver=file,node-name=d,discard=unmap,filename=" + image,
            "--nbd-server",
            "addr.type=unix,addr.path=" + socket,
            "--export",
            "type=nbd,id=e,node-name=d,name=disk,writable=on"));
  }

  /** Starts it, or starts it again; a client waits until it listens. */
  void start() throws IOException {
    Files.deleteIfExists(socket);
    process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()))
            .start();
  }

  /** Ends it without a warning. */
  void kill() {
    process.destroyForcibly().onExit().join();
  }

  /** How a node is described that uses it. */
  String node(String more) {
    return "driver=nbd,node-name=disk,open-timeout=60,server.type=unix,server.path="
        + socket
        + more;
  }

  /** What it has said. */
  String output() throws IOException {
    return Files.readString(output, UTF_8);
  }

  @Override
  public void close() {
    kill();
  }
}
