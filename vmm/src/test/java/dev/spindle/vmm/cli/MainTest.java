// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Model.CommandSpec;

/** What every command line has in common: help, version, exit status and error sentences. */
final class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private boolean otherLoaded;

  private int execute(Callable<Integer> works, String... arguments) {
    List<Subcommand> subcommands =
        List.of(
            new Subcommand("work", "Works.", () -> CommandSpec.wrapWithoutInspection(works)),
            new Subcommand(
                "other",
                "Does something else.",
                () -> {
                  otherLoaded = true;
                  return CommandSpec.create();
                }));
    return Main.commandLine(subcommands, arguments)
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(arguments);
  }

  private void assertError(int status, int expectedStatus, String sentence) {
    assertEquals(sentence + "\n", err.toString());
    assertEquals("", out.toString());
    assertEquals(expectedStatus, status);
  }

  @Test
  void versionIsTheModules() {
    assertEquals(0, execute(() -> 3, "--version"));
    assertTrue(out.toString().matches("spindle \\d+\\.\\d+\\.\\d+\\n"), out::toString);
    String version = out.toString();
    out.getBuffer().setLength(0);
    assertEquals(0, execute(() -> 3, "work", "--version"));
    assertEquals(version, out.toString());
  }

  @Test
  void helpListsTheCommandsWithoutLoadingThem() {
    assertEquals(0, execute(() -> 3, "--help"));
    assertTrue(out.toString().contains("work   Works.\n"), out::toString);
    assertTrue(out.toString().contains("other  Does something else.\n"), out::toString);
    assertEquals("", err.toString());
    assertEquals(0, execute(() -> 3, "work", "--help"));
    assertTrue(out.toString().contains("Usage: spindle work"), out::toString);
    assertEquals(false, otherLoaded);
  }

  @Test
  void theCommandsStatusIsTheExitStatus() {
    assertEquals(3, execute(() -> 3, "work"));
    assertEquals("", err.toString());
  }

  @Test
  void aWrongCommandLineIsStatus2AndOneSentence() {
    assertError(execute(() -> 3), 2, "spindle: a command is missing (see spindle --help)");
    err.getBuffer().setLength(0);
    assertError(
        execute(() -> 3, "play"), 2, "spindle: there is no command 'play' (see spindle --help)");
    err.getBuffer().setLength(0);
    assertError(
        execute(() -> 3, "wrok"),
        2,
        "spindle: there is no command 'wrok' (did you mean 'work'?) (see spindle --help)");
    err.getBuffer().setLength(0);
    assertError(
        execute(() -> 3, "--loud"), 2, "spindle: unknown option '--loud' (see spindle --help)");
    err.getBuffer().setLength(0);
    assertError(
        execute(() -> 3, "work", "--loud"),
        2,
        "spindle: unknown option '--loud' (see spindle work --help)");
  }

  @Test
  void anErrorIsStatus1AndOneSentence() {
    IOException failure = new IOException("open root.img: ENOENT");
    for (Exception thrown :
        List.of(
            failure,
            new UncheckedIOException(failure),
            new IllegalArgumentException("open root.img: ENOENT"))) {
      err.getBuffer().setLength(0);
      assertError(
          execute(
              () -> {
                throw thrown;
              },
              "work"),
          1,
          "spindle: open root.img: ENOENT");
    }
  }

  @Test
  void aBugShowsWhereItIs() {
    assertEquals(
        1,
        execute(
            () -> {
              throw new IllegalStateException("ring");
            },
            "work"));
    assertTrue(err.toString().contains("internal error"), err::toString);
    assertTrue(err.toString().contains("at dev.spindle.vmm"), err::toString);
  }
}
