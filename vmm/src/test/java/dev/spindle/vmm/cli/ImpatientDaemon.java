// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.time.Duration;
import java.util.List;

/** {@code spindle}, with a storage daemon that waits for little once a signal has come. */
final class ImpatientDaemon {
  private ImpatientDaemon() {}

  public static void main(String[] arguments) {
    Subcommand daemon =
        new Subcommand(
            "storage-daemon", "", () -> StorageDaemonCommand.spec(Duration.ofSeconds(2)));
    System.exit(Main.commandLine(List.of(daemon), arguments).execute(arguments));
  }
}
