// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.bench;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.bench.exports.ExportsBench;
import dev.spindle.vmm.guest.GuestFiles;
import dev.spindle.vmm.guest.GuestImages;
import dev.spindle.vmm.machine.KvmPlace;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** {@code spindle bench}: how fast the device path is, beside its peers on the same machine. */
public final class BenchCommand implements Callable<Integer> {
  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final OptionSpec file =
      OptionSpec.builder("--file")
          .type(Path.class)
          .paramLabel("FILE")
          .description(
              "Use FILE, which is overwritten; it must take O_DIRECT and have no holes. If it does"
                  + " not exist, it is made, of 1 GiB. Without this option such a file is made in"
                  + " this folder and removed afterwards.")
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

  private final OptionSpec guestRounds =
      OptionSpec.builder("--guest-rounds")
          .type(int.class)
          .defaultValue("3")
          .paramLabel("N")
          .description(
              "Boots of each guest, in turns; 0 leaves the guests out (default: ${DEFAULT-VALUE}).")
          .build();
  private final OptionSpec guest =
      OptionSpec.builder("--guest")
          .type(Path.class)
          .paramLabel("DIR")
          .description("Only the guests: boot vmlinuz, initrd and root-disk of DIR on this KVM.")
          .build();

  private final OptionSpec graph =
      OptionSpec.builder("--graph")
          .type(boolean.class)
          .defaultValue("false")
          .description(
              "Only the graph: what nodes and bitmaps cost a request, how long sections and moves"
                  + " take, and how fast a mirror is.")
          .build();

  private final OptionSpec exports =
      OptionSpec.builder("--exports")
          .type(boolean.class)
          .defaultValue("false")
          .description(
              "Only exports: Spindle's storage-daemon beside qemu-storage-daemon, qemu-nbd and"
                  + " nbdkit, those of them that are installed.")
          .build();
  private final OptionSpec all =
      OptionSpec.builder("--all")
          .type(boolean.class)
          .defaultValue("false")
          .description(
              "With --exports: every combination of disk, length, depth and number of queues.")
          .build();
  private final OptionSpec plot =
      OptionSpec.builder("--plot")
          .type(Path.class)
          .paramLabel("FILE")
          .description("With --exports: draw the figures into FILE, as SVG.")
          .build();
  private final OptionSpec drivers =
      OptionSpec.builder("--drivers")
          .type(boolean.class)
          .defaultValue("false")
          .description("Only what a driver that a user wrote costs a request, beside null-co.")
          .build();

  private BenchCommand() {}

  /** Makes the command's model. */
  public static CommandSpec spec() {
    BenchCommand command = new BenchCommand();
    return command
        .spec
        .addOption(command.file)
        .addOption(command.rounds)
        .addOption(command.seconds)
        .addOption(command.guestRounds)
        .addOption(command.guest)
        .addOption(command.graph)
        .addOption(command.exports)
        .addOption(command.all)
        .addOption(command.plot)
        .addOption(command.drivers);
  }

  @Override
  public Integer call() throws IOException, InterruptedException, OptionException {
    try {
      return bench();
    } finally {
      Remains.awaitEnd();
    }
  }

  private Integer bench() throws IOException, InterruptedException, OptionException {
    boolean ofExports = exports.<Boolean>getValue();
    if (!ofExports && (all.<Boolean>getValue() || plot.getValue() != null)) {
      throw new IllegalArgumentException("--all and --plot go with --exports");
    }
    if (ofExports && graph.<Boolean>getValue()) {
      throw new IllegalArgumentException("--exports and --graph do not go together");
    }
    int boots = within(guestRounds, 0, 100);
    int length = within(seconds, 1, 3600);
    Path folder = guest.getValue();
    if (folder != null) {
      guests(GuestFiles.in(folder), boots, length);
      return ExitCode.OK;
    }
    withoutGuests(within(rounds, 1, 100), length);
    boolean done =
        boots == 0 || graph.<Boolean>getValue() || ofExports || drivers.<Boolean>getValue();
    return done ? ExitCode.OK : guestsWhereKvmIs(boots, length);
  }

  private void withoutGuests(int runs, int length)
      throws IOException, InterruptedException, OptionException {
    Path given = file.getValue();
    try (BenchFile used = given == null ? BenchFile.makeTemporary() : BenchFile.of(given)) {
      Path path = used.path();
      PrintWriter out = spec.commandLine().getOut();
      if (drivers.<Boolean>getValue()) {
        new PluginBench(path, runs, length, out).run();
      } else if (graph.<Boolean>getValue()) {
        new GraphBench(path, runs, length, out).run();
        new SectionBench(runs, out).run();
        new MoveBench(path, runs, length, out).run();
        new MirrorBench(path, runs, out).run();
      } else if (exports.<Boolean>getValue()) {
        new ExportsBench(used.path(), runs, length, spec.commandLine().getOut())
            .run(all.<Boolean>getValue(), Optional.ofNullable(plot.getValue()));
      } else {
        new DeviceBench(path, runs, length, out).run();
      }
    }
  }

  private int guestsWhereKvmIs(int boots, int length) throws IOException, InterruptedException {
    GuestImages images = GuestImages.find();
    GuestFiles files = images.prepare();
    KvmPlace.Choice choice = KvmPlace.choose();
    if (choice.place() == KvmPlace.HOST) {
      guests(files, boots, length);
      return ExitCode.OK;
    }
    spec.commandLine()
        .getErr()
        .println(
            "spindle: the guests run in the KVM host, in software emulation: only ratios mean"
                + " something");
    Path output = Remains.make(() -> Files.createTempDirectory("spindle-bench-"));
    try {
      List<String> arguments =
          List.of("--guest-rounds", Integer.toString(boots), "--seconds", Integer.toString(length));
      return images.runInKvmHost(files, "bench", arguments, output, true);
    } finally {
      Remains.delete(output);
    }
  }

  private void guests(GuestFiles files, int boots, int length)
      throws IOException, InterruptedException {
    new GuestBench(files, boots, length, spec.commandLine().getOut()).run();
  }

  private static int within(OptionSpec option, int least, int most) {
    int value = option.getValue();
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          option.longestName() + " is " + value + ", expected " + least + " to " + most);
    }
    return value;
  }
}
