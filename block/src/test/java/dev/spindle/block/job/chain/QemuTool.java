// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;

/** Runs QEMU's image tools. */
final class QemuTool {
  private QemuTool() {}

  /** Runs one in a folder; it has to succeed. Returns what it printed. */
  static String run(Path folder, String... command) throws Exception {
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ": " + output);
    return output;
  }
}
