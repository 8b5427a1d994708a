// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Runs many command lines in one process, whatever their exit status: the run that the build
 * records for the JDK's AOT cache, so that what typical commands need starts loaded and linked.
 *
 * <p>Its only argument is a file with one command line per line, arguments separated by blanks.
 */
final class TrainingRun {
  private TrainingRun() {}

  public static void main(String[] arguments) throws IOException {
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      if (!line.isBlank() && !line.startsWith("#")) {
        Main.execute(line.strip().split("\\s+", -1));
      }
    }
    // As a command ends, even if one of them has left a thread behind.
    System.exit(0);
  }
}
