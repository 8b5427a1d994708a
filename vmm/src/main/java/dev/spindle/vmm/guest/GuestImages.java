// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The scripts of {@code guest-images/} as the demo and the benchmarks use them: they make what
 * guests boot, and run Spindle in the KVM host.
 */
public final class GuestImages {
  /** Set by the {@code spindle} script at the top of the source tree. */
  private static final String SOURCE_VARIABLE = "SPINDLE_SOURCE";

  /** Set for what runs in the KVM host. */
  private static final String INSIDE_VARIABLE = "SPINDLE_IN_KVM_HOST";

  /** The folder of an application image is a runtime's home. */
  private static final Path APPLICATION = Path.of(System.getProperty("java.home"));

  private final Path scripts;

  private GuestImages(Path scripts) {
    this.scripts = scripts;
  }

  /** Finds the scripts. */
  public static GuestImages find() throws IOException {
    String source = System.getenv(SOURCE_VARIABLE);
    if (source == null || !Files.isDirectory(Path.of(source, "guest-images"))) {
      throw new IOException(
          "the folder guest-images is not there: run this with the script 'spindle' of the source"
              + " tree, or name ready-made files with --guest");
    }
    return new GuestImages(Path.of(source, "guest-images"));
  }

  /** Whether this process runs in the KVM host. */
  public static boolean insideKvmHost() {
    return System.getenv(INSIDE_VARIABLE) != null;
  }

  /** Installs what the demo needs and makes what a guest boots. Slow the first time. */
  public GuestFiles prepare() throws IOException {
    run(List.of("install-packages", "--for", "demo"));
    return new GuestFiles(
        Path.of(run(List.of("kernel", "--print", "vmlinuz"))),
        Path.of(run(List.of("initrd"))),
        Path.of(run(List.of("root-disk"))));
  }

  /**
   * Runs Spindle in the KVM host, with the guest's files in {@code --guest} and what it leaves in
   * {@code /output} brought back.
   *
   * @param subcommand what to run
   * @param arguments its arguments, apart from {@code --guest}
   * @param output the folder for what it leaves
   * @param withQemu whether QEMU has to be there too
   * @return its exit status
   */
  public int runInKvmHost(
      GuestFiles files, String subcommand, List<String> arguments, Path output, boolean withQemu)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(scripts.resolve("kvm-host").toString());
    command.add("run");
    command.addAll(List.of("--input", APPLICATION + "=spindle"));
    command.addAll(List.of("--input", files.kernel() + "=" + GuestFiles.KERNEL));
    command.addAll(List.of("--input", files.initrd() + "=" + GuestFiles.INITRD));
    command.addAll(List.of("--disk", files.rootDisk() + "=" + GuestFiles.ROOT_DISK));
    command.addAll(List.of("--env", INSIDE_VARIABLE + "=1"));
    command.addAll(List.of("--output", output.toString()));
    if (withQemu) {
      command.add("--with-qemu");
    }
    command.addAll(List.of("--", "/input/spindle/bin/spindle", subcommand, "--guest", "/input"));
    command.addAll(arguments);
    return await(new ProcessBuilder(command).inheritIO().start());
  }

  private String run(List<String> scriptAndArguments) throws IOException {
    List<String> command = new ArrayList<>(scriptAndArguments);
    command.set(0, scripts.resolve(command.getFirst()).toString());
    Process process =
        new ProcessBuilder(command)
            .redirectInput(ProcessBuilder.Redirect.INHERIT)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    int status = await(process);
    if (status != 0) {
      throw new IOException(
          "guest-images/" + String.join(" ", scriptAndArguments) + " ended with status " + status);
    }
    return output;
  }

  private static int await(Process process) throws IOException {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
