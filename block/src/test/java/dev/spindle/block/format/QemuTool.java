// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Runs QEMU's image tools, for an opinion that is not ours. */
public final class QemuTool {
  private static final Path HERE = Path.of("").toAbsolutePath();

  private QemuTool() {}

  /** What a tool printed, and ended with. */
  public record Result(int status, String output) {}

  /** Runs one in a folder, to whatever end. */
  public static Result attempt(Path folder, List<String> command)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Result(process.waitFor(), output);
  }

  /** Runs one in this folder, to whatever end. */
  public static Result attempt(String... command) throws IOException, InterruptedException {
    return attempt(HERE, List.of(command));
  }

  /** Runs one in a folder; it has to succeed. Returns what it printed. */
  public static String run(Path folder, String... command)
      throws IOException, InterruptedException {
    return succeed(attempt(folder, List.of(command)), List.of(command));
  }

  /** Runs one in this folder; it has to succeed. Returns what it printed. */
  public static String run(String... command) throws IOException, InterruptedException {
    return run(HERE, command);
  }

  /** Runs one that makes an encrypted image in a folder; it has to succeed. */
  public static void encrypt(Path folder, List<String> command)
      throws IOException, InterruptedException {
    Result result = attempt(folder, command);
    while (result.output().contains("Unable to get accurate CPU usage")) {
      // It measures how long a key takes by ticks of the kernel's clock, and gives up at none.
      result = attempt(folder, command);
    }
    succeed(result, command);
  }

  private static String succeed(Result result, List<String> command) {
    assertEquals(0, result.status, () -> String.join(" ", command) + ":\n" + result.output);
    return result.output;
  }
}
