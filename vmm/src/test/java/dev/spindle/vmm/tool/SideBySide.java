// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.vmm.img.Img;
import dev.spindle.vmm.io.Io;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Gives one command line to Spindle's tool and to QEMU's, each in a folder of its own with the same
 * files, and compares what both print, how they end, and what they leave behind. In a command, an
 * {@code @} stands for the folder.
 */
final class SideBySide {
  private static final long SECONDS = 60;

  private final List<String> differences = new ArrayList<>();
  private final Path ours;
  private final Path theirs;

  SideBySide(Path folder) throws IOException {
    ours = Files.createDirectory(folder.resolve("ours"));
    theirs = Files.createDirectory(folder.resolve("theirs"));
  }

  /** What a tool did. */
  private record Outcome(int status, String out, String err) {}

  /** Puts a file into both folders. */
  void write(String name, byte[] content) throws IOException {
    Files.write(ours.resolve(name), content);
    Files.write(theirs.resolve(name), content);
  }

  /** Puts a file of zeroes, all of them a hole, into both folders. */
  void hole(String name, long length) throws IOException {
    for (Path folder : List.of(ours, theirs)) {
      try (var file = new RandomAccessFile(folder.resolve(name).toFile(), "rw")) {
        file.setLength(length);
      }
    }
  }

  /** Runs a command line without quotes. */
  void img(String command) throws Exception {
    compare("qemu-img", List.of(command.split(" ")), "");
  }

  /** Runs {@code io} with commands, then a file name and options. */
  void io(String options, String... commands) throws Exception {
    List<String> arguments = new ArrayList<>();
    for (String command : commands) {
      arguments.add("-c");
      arguments.add(command);
    }
    if (!options.isEmpty()) {
      arguments.addAll(List.of(options.split(" ")));
    }
    compare("qemu-io", arguments, "");
  }

  /** Runs {@code io} with commands from its standard input. */
  void ioInput(String options, String input) throws Exception {
    compare("qemu-io", List.of(options.split(" ")), input);
  }

  private void compare(String program, List<String> arguments, String input) throws Exception {
    Outcome expected = theirs(program, arguments, input);
    Outcome actual = ours(program, arguments, input);
    String command = program + " " + String.join(" ", arguments);
    if (!actual.equals(expected)) {
      differences.add("%s%n  QEMU:  %s%n  here:  %s%n".formatted(command, expected, actual));
    }
  }

  private Outcome ours(String program, List<String> arguments, String input) {
    List<String> given = arguments.stream().map(word -> word.replace("@", ours + "/")).toList();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    ToolOutput output = new ToolOutput(program, out, err);
    int status =
        program.equals("qemu-img")
            ? Img.run(output, given)
            : Io.run(
                output, given, new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    return new Outcome(status, filter(out.toByteArray(), ours), filter(err.toByteArray(), ours));
  }

  private Outcome theirs(String program, List<String> arguments, String input) throws Exception {
    List<String> command = new ArrayList<>(List.of(program));
    arguments.forEach(word -> command.add(word.replace("@", theirs + "/")));
    Path in = theirs.resolveSibling("in");
    Path out = theirs.resolveSibling("out");
    Path err = theirs.resolveSibling("err");
    Files.writeString(in, input);
    Process process =
        new ProcessBuilder(command)
            .redirectInput(in.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS), () -> command + " hangs");
    return new Outcome(
        process.exitValue(),
        filter(Files.readAllBytes(out), theirs),
        filter(Files.readAllBytes(err), theirs));
  }

  /**
   * Leaves out what differs from run to run, folders, times and rates, and what may differ: how
   * much storage an image with clusters takes, and whether a snapshot says that no instructions
   * were counted.
   */
  private static String filter(byte[] text, Path folder) {
    return new String(text, StandardCharsets.UTF_8)
        .replace(folder + "/", "@")
        .replaceAll("completed in [0-9.]+ seconds", "completed in TIME")
        .replaceAll("#block\\d+", "#block")
        .replaceAll("\\d{4}(-\\d\\d){2} \\d\\d(:\\d\\d){2} ", "DATE ")
        .replaceAll("(?m)( 00:00:00\\.000) +0?$", "$1")
        .replaceAll("(disk size: ).*(\ncluster_size)", "$1SIZE$2")
        .replaceAll("(\"cluster-size\": .*\n.*\n *\"actual-size\": )\\d+", "$1SIZE")
        .replaceAll("ops; [0-9:.]+( sec)? \\([^)]*\\)", "ops; TIME")
        .replaceAll("(?m)^(\\d+,1,)[0-9:.]+,[0-9.]+,[0-9.]+$", "$1TIME");
  }

  /** Fails if the tools have ever done different things, and says all of them. */
  void assertAlike() {
    assertTrue(differences.isEmpty(), () -> String.join("\n", differences));
  }

  /** Both have the same files with the same content. */
  void compareFiles() throws IOException {
    List<Path> names;
    try (var files = Files.list(theirs)) {
      names = files.map(Path::getFileName).sorted().toList();
    }
    try (var files = Files.list(ours)) {
      assertEquals(names, files.map(Path::getFileName).sorted().toList());
    }
    for (Path name : names) {
      compareFile(name.toString());
    }
  }

  /** Both have the same content in a file. */
  void compareFile(String name) throws IOException {
    assertEquals(-1L, Files.mismatch(theirs.resolve(name), ours.resolve(name)), () -> "in " + name);
  }

  /** QEMU finds nothing wrong with our image, and sees in it what it sees in its own. */
  void compareImages(String... names) throws Exception {
    for (String name : names) {
      String mine = ours.resolve(name).toString();
      succeed("qemu-img", "check", "-q", mine);
      succeed("qemu-img", "compare", mine, theirs.resolve(name).toString());
    }
  }

  private static void succeed(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ": " + output);
  }
}
