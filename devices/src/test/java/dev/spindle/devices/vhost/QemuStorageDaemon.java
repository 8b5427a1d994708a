// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A {@code qemu-storage-daemon} of the test's own that serves a file over vhost-user. */
public final class QemuStorageDaemon implements AutoCloseable {
  private final Process process;

  /**
   * Starts it, and waits until it listens.
   *
   * @param blockdev its node {@code disk}, but for the name
   * @param export what the export has besides a node and a socket
   */
  public QemuStorageDaemon(Path socket, String blockdev, String export) throws IOException {
    process =
        new ProcessBuilder(
                "qemu-storage-daemon",
                "--blockdev",
                "node-name=disk," + blockdev,
                "--export",
                "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path="
                    + socket
                    + ","
                    + export,
                // It greets when all that comes before is done.
                "--chardev",
                "stdio,id=out",
                "--monitor",
                "chardev=out")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    String greeting = output.readLine();
    assertTrue(greeting != null && greeting.contains("QMP"), () -> "it says " + greeting);
  }

  /** Whether it has mapped memory of a name and a size. */
  boolean hasMapped(String name, long bytes) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + process.pid() + "/maps"))) {
      String[] range = line.substring(0, line.indexOf(' ')).split("-", 2);
      long length = Long.parseUnsignedLong(range[1], 16) - Long.parseUnsignedLong(range[0], 16);
      if (line.contains(name) && length == bytes) {
        return true;
      }
    }
    return false;
  }

  /** Ends it at once, as a crash would. */
  public void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** Ends it as its user would, and waits. */
  @Override
  public void close() throws InterruptedException {
    process.destroy();
    process.waitFor();
  }

  /** Has {@code qemu-io} check what is in a file. */
  public static void check(Path file, List<String> commands) throws Exception {
    List<String> command = new ArrayList<>(List.of("qemu-io", "-r", "-f", "raw"));
    commands.forEach(each -> command.addAll(List.of("-c", each)));
    command.add(file.toString());
    Process qemuIo = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(qemuIo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, qemuIo.waitFor(), said);
    assertTrue(!said.contains("verification failed"), said);
  }
}
