// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.spindle.vmm.machine.KvmPlace;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import picocli.CommandLine;

/**
 * {@code spindle run} without asking whether KVM can run a stock kernel, for guests of a few
 * instructions.
 */
final class RunOnAnyKvm {
  private RunOnAnyKvm() {}

  /** Leaves a test out where there is no KVM at all. */
  static void assumeKvm() {
    assumeTrue(Files.isWritable(Path.of("/dev/kvm")), "this machine has some KVM");
  }

  public static void main(String[] arguments) throws Exception {
    CommandLine line = new CommandLine(RunCommand.spec());
    RunOptions options = RunOptions.from(line.parseArgs(arguments));
    System.exit(
        RunCommand.run(
            options.config(),
            options.monitors(),
            CompletableFuture.completedFuture(
                new KvmPlace.Choice(KvmPlace.HOST, "a test asks for it"))));
  }
}
