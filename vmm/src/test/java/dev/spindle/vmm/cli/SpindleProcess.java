// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * Spindle as a process of its own: the modules under test on the JDK that runs the tests, with the
 * options of the application image, which is not built yet when tests run.
 */
final class SpindleProcess {
  /**
   * What a finished process leaves.
   *
   * @param status exit status
   * @param out its standard output
   * @param err its standard error
   */
  record Outcome(int status, String out, String err) {
    /** Asserts that it has refused, in exactly this sentence. */
    void assertRefusal(int expectedStatus, String sentence) {
      assertEquals("spindle: " + sentence + "\n", err);
      assertEquals("", out);
      assertEquals(expectedStatus, status);
    }

    /** Asserts that it has refused in one sentence that begins and ends like this. */
    void assertRefusal(int expectedStatus, String start, String end) {
      assertTrue(err.startsWith("spindle: " + start), err);
      assertTrue(err.endsWith(end + "\n"), err);
      assertEquals(1, err.lines().count(), err);
      assertFalse(err.contains("Exception"), err);
      assertEquals("", out);
      assertEquals(expectedStatus, status);
    }
  }

  private SpindleProcess() {}

  /** Prepares {@code spindle ARGUMENTS} in a folder, started by other programs if any are given. */
  static ProcessBuilder prepare(Path folder, List<String> launcher, String... arguments) {
    return prepareMain(folder, launcher, List.of(), Main.class, arguments);
  }

  /**
   * Prepares a class of this module's tests that stands in for {@link Main}. Signals end it, though
   * whoever runs the tests may ignore some, as a shell's background does and nohup(1).
   */
  static ProcessBuilder prepareTestMain(Path folder, Class<?> main, String... arguments) {
    String patch =
        "--patch-module=dev.spindle.vmm=" + Path.of("target", "test-classes").toAbsolutePath();
    List<String> launcher = List.of("env", "--default-signal=HUP,INT,TERM");
    return prepareMain(folder, launcher, List.of(patch), main, arguments);
  }

  private static ProcessBuilder prepareMain(
      Path folder,
      List<String> launcher,
      List<String> options,
      Class<?> main,
      String... arguments) {
    List<String> command = new ArrayList<>(launcher);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of("src", "image", "spindle.options").toAbsolutePath());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(options);
    command.add("--module-path");
    command.add(System.getProperty("jdk.module.path"));
    command.add("-m");
    command.add("dev.spindle.vmm/" + main.getName());
    command.addAll(Arrays.asList(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder
        .environment()
        .keySet()
        .removeIf(name -> name.startsWith("SPINDLE_") || name.endsWith("_OPTIONS"));
    return builder;
  }

  /** Runs it to its end, with nothing to read. */
  static Outcome finish(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.start();
    process.getOutputStream().close();
    CompletableFuture<String> err = CompletableFuture.supplyAsync(() -> text(process));
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Outcome(process.waitFor(), out, err.join());
  }

  private static String text(Process process) {
    return process.errorReader(UTF_8).lines().reduce("", (all, line) -> all + line + "\n");
  }

  /** Returns what is in a folder: what kind each entry is, its mode, and its bytes' checksum. */
  static Map<String, String> contents(Path folder) throws IOException, NoSuchAlgorithmException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> entries = Files.walk(folder)) {
      for (Path entry : entries.toList()) {
        String description = Files.getPosixFilePermissions(entry).toString();
        if (Files.isRegularFile(entry) && Files.isReadable(entry)) {
          byte[] bytes = Files.readAllBytes(entry);
          description +=
              HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        }
        contents.put(entry.toString(), description);
      }
    }
    return contents;
  }
}
