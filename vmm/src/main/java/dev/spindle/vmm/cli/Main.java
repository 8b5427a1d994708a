// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Entry point of the {@code spindle} command. */
@Command(name = "spindle", mixinStandardHelpOptions = true)
public final class Main {
  Main() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }
}
