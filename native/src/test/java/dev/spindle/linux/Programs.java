// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Other programs, as oracles: run to their end, or held at a line of their output. */
public final class Programs {
  private Programs() {}

  /** Runs a program that must succeed, and returns what it printed. */
  public static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), String.join(" ", command) + ": " + output);
    return output;
  }

  /** Runs a program, and returns its exit status. */
  public static int status(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getInputStream().readAllBytes();
    return process.waitFor();
  }

  /** Whether a program is installed. */
  public static boolean installed(String program) {
    return Stream.of(System.getenv("PATH").split(":", -1))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  /** Compiles a C program that lies beside the tests. */
  public static Path compile(String resource, Path directory) throws Exception {
    Path source = directory.resolve(resource);
    try (InputStream text = Programs.class.getResourceAsStream(resource)) {
      Files.copy(text, source);
    }
    Path program = directory.resolve(resource.replace(".c", ""));
    run("gcc", "-Wall", "-Werror", "-o", program.toString(), source.toString());
    return program;
  }

  /** A program that runs until its standard input ends. */
  public static final class Held implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;

    public Held(List<String> command) throws IOException {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
      output = process.inputReader(UTF_8);
    }

    /** Waits for the next line of its output. */
    public String line() throws IOException {
      return output.readLine();
    }

    /** Ends it. */
    @Override
    public void close() throws IOException {
      process.getOutputStream().close();
      process.onExit().join();
    }
  }
}
