// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.BenchCommand;
import dev.spindle.vmm.demo.DemoCommand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Entry point of the {@code spindle} command.
 *
 * <p>Exit status: what the subcommand returns; {@value ExitCode#USAGE} if the command line is
 * wrong; {@value ExitCode#SOFTWARE} for every other error. An error is one sentence on standard
 * error.
 */
public final class Main {
  /** In the order in which {@code --help} lists them. */
  private static final List<Subcommand> SUBCOMMANDS =
      List.of(
          new Subcommand(
              "demo",
              "Boot Linux, run fio on its disk, and move that disk between iothreads meanwhile.",
              DemoCommand::spec),
          new Subcommand("run", "Run a virtual machine until it ends.", RunCommand::spec),
          new Subcommand(
              "graph",
              "Show how disks hang together, as text or as a drawing.",
              GraphCommand::spec),
          new Subcommand(
              "storage-daemon", "Serve block nodes to other programs.", StorageDaemonCommand::spec),
          new Subcommand(
              "img", "Make, describe, copy and change disk images.", CommandSpec::create),
          new Subcommand("io", "Read and write a disk image by hand.", CommandSpec::create),
          new Subcommand(
              "qmp", "Have a running machine or daemon carry out a command.", QmpShell::spec),
          new Subcommand("bench", "Measure the device path beside its peers.", BenchCommand::spec),
          new Subcommand(
              "kvm",
              "Say whether guests run on this machine's KVM (host) or not (nested).",
              KvmCommand::spec));

  private Main() {}

  public static void main(String[] arguments) {
    System.exit(Tools.isTool(arguments) ? Tools.run(arguments) : execute(arguments));
  }

  /**
   * Runs one command line and returns its exit status; {@link #main} without leaving the process.
   */
  static int execute(String... arguments) {
    return commandLine(SUBCOMMANDS, arguments).execute(arguments);
  }

  /** Only the subcommand that {@code arguments} name is loaded; the others stay names. */
  static CommandLine commandLine(List<Subcommand> subcommands, String... arguments) {
    CommandSpec root = CommandSpec.create().name("spindle");
    root.version("spindle " + version());
    root.usageMessage().description("A KVM virtual machine monitor centred on its block layer.");
    root.addOption(
        OptionSpec.builder("-h", "--help")
            .usageHelp(true)
            .scopeType(ScopeType.INHERIT)
            .description("Show this help.")
            .build());
    root.addOption(
        OptionSpec.builder("--version")
            .versionHelp(true)
            .scopeType(ScopeType.INHERIT)
            .description("Show the version.")
            .build());
    for (Subcommand subcommand : subcommands) {
      boolean invoked = arguments.length > 0 && arguments[0].equals(subcommand.name());
      CommandSpec spec = invoked ? subcommand.spec().get() : CommandSpec.create();
      spec.usageMessage().description(subcommand.description());
      spec.version(root.version());
      root.addSubcommand(subcommand.name(), spec);
    }
    return new CommandLine(root)
        // An argument that begins with @ is itself, as in QEMU.
        .setExpandAtFiles(false)
        .setExecutionStrategy(Main::run)
        .setParameterExceptionHandler(Main::reportUsage)
        .setExecutionExceptionHandler(Main::reportFailure);
  }

  private static int run(ParseResult parsed) {
    Integer helped = CommandLine.executeHelpRequest(parsed);
    if (helped != null) {
      return helped;
    }
    if (!parsed.hasSubcommand()) {
      throw new ParameterException(parsed.commandSpec().commandLine(), "a command is missing");
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static int reportUsage(ParameterException error, String[] arguments) {
    CommandLine command = error.getCommandLine();
    String message =
        switch (error) {
          case UnmatchedArgumentException unmatched -> unmatched(unmatched, command);
          case MissingParameterException missing
              when missing.getMissing().getFirst() instanceof OptionSpec option ->
              "option '%s' needs a value".formatted(option.longestName());
          default -> error.getMessage();
        };
    String name = command.getCommandSpec().qualifiedName();
    command.getErr().printf("spindle: %s (see %s --help)%n", message, name);
    return ExitCode.USAGE;
  }

  private static String unmatched(UnmatchedArgumentException error, CommandLine command) {
    String argument = error.getUnmatched().getFirst();
    CommandSpec spec = command.getCommandSpec();
    if (error.isUnknownOption()) {
      String name = argument.split("=", 2)[0];
      return "unknown option '%s'%s"
          .formatted(name, NearNames.hint(name, spec.optionsMap().keySet()));
    }
    return command.getParent() == null
        ? "there is no command '%s'%s"
            .formatted(argument, NearNames.hint(argument, spec.subcommands().keySet()))
        : "unexpected argument '%s'".formatted(argument);
  }

  private static int reportFailure(Exception error, CommandLine command, ParseResult parsed) {
    switch (error) {
      case IOException _, UncheckedIOException _, IllegalArgumentException _, OptionException _ ->
          command.getErr().println("spindle: " + sentence(error));
      default -> {
        command.getErr().println("spindle: internal error, please report it:");
        error.printStackTrace(command.getErr());
      }
    }
    return ExitCode.SOFTWARE;
  }

  private static String sentence(Exception error) {
    Throwable cause = error instanceof UncheckedIOException ? error.getCause() : error;
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }

  /** The version of the program. */
  static String version() {
    return Main.class.getModule().getDescriptor().rawVersion().orElse("(not packaged)");
  }
}
