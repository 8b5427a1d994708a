// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Session;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.ExitCode;

/**
 * Goes to the background once everything is there. A Java process cannot fork, so it starts itself
 * once more; the first process waits until the second says that it is ready, or ends as it does.
 */
final class Daemonize {
  /** What the user says. */
  static final String OPTION = "--daemonize";

  /** What the second process is told in its stead. */
  static final String SECOND = "--daemonized";

  private static final String READY = "ready";

  private Daemonize() {}

  /**
   * Starts the second process and waits until it is ready.
   *
   * @return the exit status
   */
  static int start() throws IOException {
    Process second =
        new ProcessBuilder(command())
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var out = second.getInputStream()) {
      String said = new String(out.readAllBytes(), StandardCharsets.US_ASCII);
      if (said.strip().equals(READY)) {
        return ExitCode.OK;
      }
      return second.waitFor();
    } catch (InterruptedException e) {
      throw new InterruptedIOException("interrupted");
    }
  }

  private static List<String> command() throws IOException {
    Path self = Path.of("/proc/self");
    String line = Files.readString(self.resolve("cmdline"));
    List<String> command = new ArrayList<>(Arrays.asList(line.split("\0", -1)));
    // What is after the last zero.
    command.removeLast();
    command.set(0, self.resolve("exe").toRealPath().toString());
    command.set(command.lastIndexOf(OPTION), SECOND);
    return command;
  }

  /** The second process leaves the terminal of the first. */
  static void leaveTerminal() throws LinuxException {
    Session.begin();
  }

  /** The second process says that it is ready, and nothing more. */
  static void ready() throws LinuxException {
    System.out.println(READY);
    System.out.flush();
    Session.discardStandardStreams();
  }
}
