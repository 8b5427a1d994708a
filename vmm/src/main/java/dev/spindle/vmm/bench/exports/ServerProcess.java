// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench.exports;

import dev.spindle.vmm.bench.Remains;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A running server, from its first connection on until it is closed. */
final class ServerProcess implements AutoCloseable {
  private static final long START_NS = TimeUnit.SECONDS.toNanos(30);
  private static final long LOOK_MS = 20;
  private static final long END_SECONDS = 10;

  private final List<String> command;
  private final Process process;
  private final Path log;

  /**
   * Starts it and waits until it takes connections.
   *
   * @param socket where it listens
   * @throws IOException if it ends, or does not listen; with what it said
   */
  ServerProcess(List<String> command, Path socket) throws IOException, InterruptedException {
    this.command = command;
    this.log = Remains.make(() -> Files.createTempFile("spindle-bench-", ".log"));
    try {
      process =
          Remains.start(
              new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()));
    } catch (IOException e) {
      Remains.delete(log);
      throw e;
    }
    try {
      awaitListening(socket);
    } catch (IOException | InterruptedException e) {
      close();
      throw e;
    }
  }

  private void awaitListening(Path socket) throws IOException, InterruptedException {
    long start = System.nanoTime();
    while (!isListening(socket)) {
      boolean ended = process.waitFor(LOOK_MS, TimeUnit.MILLISECONDS);
      if (ended || System.nanoTime() - start > START_NS) {
        throw new IOException(
            command.getFirst()
                + (ended ? " ended with status " + process.exitValue() : " does not listen")
                + ": "
                + Files.readString(log, StandardCharsets.UTF_8).strip());
      }
    }
  }

  private static boolean isListening(Path socket) {
    try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return probe.isConnected();
    } catch (IOException e) {
      return false; // not yet
    }
  }

  /** The time that the program has had on a processor, those of its threads that ended included. */
  Duration cpu() {
    return process.info().totalCpuDuration().orElseThrow();
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    try {
      if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    Remains.delete(log);
  }
}
