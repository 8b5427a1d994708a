// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.Remains;
import dev.spindle.vmm.bench.Workload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalDouble;

/** A server, and the client that drives it. */
final class ServedContender implements Contender {
  private static final double NS_PER_US = 1e3;

  private final ServerProgram program;
  private final Path folder;
  private final ServerProcess server;
  private final ExportClient client;

  /**
   * Starts the server and connects the client.
   *
   * @throws IOException with a sentence for the user, if that fails
   */
  ServedContender(ServerProgram program, Protocol protocol, ServedDisk disk, int queues, Path file)
      throws IOException, InterruptedException, OptionException {
    this.program = program;
    this.folder = Remains.make(() -> Files.createTempDirectory("spindle-bench-"));
    Path socket = folder.resolve("socket");
    ServerProcess started = null;
    try {
      started = new ServerProcess(program.command(protocol, disk, queues, file, socket), socket);
      client =
          switch (protocol) {
            case VHOST_USER_BLK -> new VhostUserClient(socket, queues);
            case NBD -> NbdClient.of(socket);
          };
    } catch (IOException | InterruptedException | OptionException | RuntimeException e) {
      if (started != null) {
        started.close();
      }
      removeFolder();
      throw e;
    }
    server = started;
  }

  @Override
  public String title() {
    return program.toString();
  }

  @Override
  public Showing run(Workload workload, int seconds) throws IOException, InterruptedException {
    Duration before = server.cpu();
    ExportClient.Seen seen = client.run(workload, seconds);
    double cpuNs = server.cpu().minus(before).toNanos();
    return new Showing(
        seen.requests() / seen.seconds(),
        seen.medianUs(),
        seen.p99Us(),
        OptionalDouble.of(cpuNs / NS_PER_US / seen.requests()));
  }

  @Override
  public void close() throws IOException {
    client.close();
    server.close();
    removeFolder();
  }

  /** With the socket in it, which not every server removes. */
  private void removeFolder() throws IOException {
    Remains.delete(folder);
  }
}
