// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.options.OptionException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** {@code spindle bench}: how fast the device path is, beside its peers on the same machine. */
public final class BenchCommand implements Callable<Integer> {
  private static final long FILE_BYTES = 1L << 30;

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final OptionSpec file =
      OptionSpec.builder("--file")
          .type(Path.class)
          .paramLabel("FILE")
          .description(
              "Use FILE, which is overwritten; it must take O_DIRECT. Without it, a file of 1 GiB"
                  + " is made in this folder and removed afterwards.")
          .build();
  private final OptionSpec rounds =
      OptionSpec.builder("--rounds")
          .type(int.class)
          .defaultValue("5")
          .paramLabel("N")
          .description("Runs of each, in turns; figures are medians (default: ${DEFAULT-VALUE}).")
          .build();
  private final OptionSpec seconds =
      OptionSpec.builder("--seconds")
          .type(int.class)
          .defaultValue("3")
          .paramLabel("N")
          .description("Length of a run (default: ${DEFAULT-VALUE}).")
          .build();

  private BenchCommand() {}

  /** Makes the command's model. */
  public static CommandSpec spec() {
    BenchCommand command = new BenchCommand();
    return command
        .spec
        .addOption(command.file)
        .addOption(command.rounds)
        .addOption(command.seconds);
  }

  @Override
  public Integer call() throws IOException, InterruptedException, OptionException {
    Path given = file.getValue();
    Path used = given != null ? given : makeFile();
    try {
      new DeviceBench(
              used, positive(rounds, 100), positive(seconds, 3600), spec.commandLine().getOut())
          .run();
    } finally {
      if (given == null) {
        Files.deleteIfExists(used);
      }
    }
    return ExitCode.OK;
  }

  private static int positive(OptionSpec option, int most) {
    int value = option.getValue();
    if (value < 1 || value > most) {
      throw new IllegalArgumentException(
          option.longestName() + " is " + value + ", expected 1 to " + most);
    }
    return value;
  }

  /** Written once over: reading a hole would not reach the disk. */
  private static Path makeFile() throws IOException {
    Path made = Files.createTempFile(Path.of("").toAbsolutePath(), "spindle-bench-", ".raw");
    byte[] megabyte = new byte[1 << 20];
    java.util.Arrays.fill(megabyte, (byte) 0x5a);
    try (RandomAccessFile out = new RandomAccessFile(made.toFile(), "rw")) {
      for (long written = 0; written < FILE_BYTES; written += megabyte.length) {
        out.write(megabyte);
      }
      out.getFD().sync();
    }
    return made;
  }
}
