// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.demo;

import dev.spindle.block.options.OptionException;
import dev.spindle.vmm.guest.GuestFiles;
import dev.spindle.vmm.guest.GuestImages;
import dev.spindle.vmm.machine.KvmPlace;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** {@code spindle demo}: a guest's fio, on a disk that moves between iothreads. */
public final class DemoCommand implements Callable<Integer> {
  private static final String JSON_NAME = "demo.json";

  private final CommandSpec spec = CommandSpec.wrapWithoutInspection(this);
  private final OptionSpec json =
      OptionSpec.builder("--json")
          .type(Path.class)
          .paramLabel("FILE")
          .description("Write the figures to FILE, too, as one JSON object.")
          .build();
  private final OptionSpec seconds =
      OptionSpec.builder("--seconds")
          .type(int.class)
          .defaultValue("10")
          .paramLabel("N")
          .description("How long fio runs each time, 1 to 3600 (default: ${DEFAULT-VALUE}).")
          .build();
  private final OptionSpec guest =
      OptionSpec.builder("--guest")
          .type(Path.class)
          .paramLabel("DIR")
          .description(
              "Boot vmlinuz, initrd and root-disk of DIR on this machine's KVM; no set-up.")
          .build();

  private DemoCommand() {}

  /** Makes the command's model. */
  public static CommandSpec spec() {
    DemoCommand command = new DemoCommand();
    return command.spec.addOption(command.json).addOption(command.seconds).addOption(command.guest);
  }

  @Override
  public Integer call() throws IOException, InterruptedException, OptionException {
    int runtime = seconds.getValue();
    if (runtime < 1 || runtime > 3600) {
      throw new IllegalArgumentException("--seconds is " + runtime + ", expected 1 to 3600");
    }
    Path result = json.getValue();
    if (result != null && result.toAbsolutePath().getParent() != null) {
      checkWritable(result);
    }
    Path folder = guest.getValue();
    if (folder != null) {
      String kvm = GuestImages.insideKvmHost() ? "nested" : "host";
      return runHere(GuestFiles.in(folder), runtime, kvm, result);
    }
    KvmPlace.Choice choice = KvmPlace.choose();
    progress().println("spindle: preparing the guest (the first time takes a few minutes)");
    GuestImages images = GuestImages.find();
    GuestFiles files = images.prepare();
    if (choice.place() == KvmPlace.HOST) {
      return runHere(files, runtime, "host", result);
    }
    progress().println("spindle: " + choice.reason());
    progress()
        .println(
            "spindle: so the demo runs in the KVM host, a machine in software emulation:"
                + " its absolute speed means nothing");
    return runNested(images, files, runtime, result);
  }

  private static void checkWritable(Path file) throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    if (!Files.isDirectory(parent) || Files.isDirectory(file)) {
      throw new IOException("--json: cannot write to " + file);
    }
  }

  private int runHere(GuestFiles files, int runtime, String kvm, Path result)
      throws IOException, InterruptedException, OptionException {
    Path scratch = Files.createTempDirectory(Path.of("").toAbsolutePath(), "spindle-demo-");
    boolean done = false;
    try {
      DemoResult figures = new DemoRun(files, scratch, runtime, kvm, progress()).run();
      spec.commandLine().getOut().printf("%n%s", figures.table());
      if (result != null) {
        Files.writeString(result, figures.json());
      }
      done = figures.ioErrors() == 0 && figures.verifyPassed();
      return done ? ExitCode.OK : ExitCode.SOFTWARE;
    } finally {
      removeUnless(!done, scratch);
    }
  }

  /** A failed run leaves the guest's console for whoever asks why. */
  private static void removeUnless(boolean keepConsole, Path scratch) throws IOException {
    Files.deleteIfExists(scratch.resolve("demo-disk.raw"));
    if (!keepConsole) {
      Files.deleteIfExists(scratch.resolve("demo-console.log"));
      Files.deleteIfExists(scratch);
    }
  }

  private int runNested(GuestImages images, GuestFiles files, int runtime, Path result)
      throws IOException {
    Path output = Files.createTempDirectory("spindle-demo-");
    try {
      int status =
          images.runInKvmHost(
              files,
              "demo",
              List.of("--json", "/output/" + JSON_NAME, "--seconds", Integer.toString(runtime)),
              output,
              false);
      Path made = output.resolve(JSON_NAME);
      if (result != null && Files.exists(made)) {
        Files.copy(made, result, StandardCopyOption.REPLACE_EXISTING);
      }
      return status;
    } finally {
      Files.deleteIfExists(output.resolve(JSON_NAME));
      Files.deleteIfExists(output);
    }
  }

  private PrintWriter progress() {
    return spec.commandLine().getErr();
  }
}
