// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import java.time.Duration;
import java.util.List;

/** {@code spindle}, with a storage daemon that a signal has wait for ever. */
final class PatientDaemon {
  private PatientDaemon() {}

  public static void main(String[] arguments) {
    Subcommand daemon =
        new Subcommand("storage-daemon", "", () -> StorageDaemonCommand.spec(Duration.ofDays(1)));
    System.exit(Main.commandLine(List.of(daemon), arguments).execute(arguments));
  }
}
