// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.vmm.machine.KvmPlace;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;

/**
 * {@code spindle kvm}: prints {@code host} or {@code nested} on standard output, and why on
 * standard error.
 */
final class KvmCommand implements Callable<Integer> {
  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);

  private KvmCommand() {}

  static CommandSpec spec() {
    return new KvmCommand().spec;
  }

  @Override
  public Integer call() throws IOException {
    KvmPlace.Choice choice = KvmPlace.choose();
    spec.commandLine().getErr().println("spindle: " + choice.reason());
    spec.commandLine().getOut().println(choice.place().name().toLowerCase(Locale.ROOT));
    return ExitCode.OK;
  }
}
