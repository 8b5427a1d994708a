// SPDX-License-Identifier: Apache-2.0

package dev.spindle.vmm.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A machine whose serial console is a terminal, in a process of its own, on whatever KVM there is:
 * keys, ends, signals, with stty(1) as the judge of the terminal's settings. The pseudo-terminal is
 * script(1)'s, which carries its standard input and output to it and from it.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RunOnTerminalTest {
  private static final String CTRL_A = "\u0001";

  @TempDir private Path folder;
  private Process script;
  private String terminal;
  private String settings;
  private Process spindle;

  @BeforeAll
  static void kvmIsHere() {
    RunOnAnyKvm.assumeKvm();
  }

  @BeforeEach
  void start() throws Exception {
    script =
        new ProcessBuilder(
                "script", "--quiet", "--flush", "--command", "tty; exec sleep 600", "/dev/null")
            .redirectErrorStream(true)
            .start();
    terminal = until("\n").strip();
    stty("sane", "-echo", "ixany", "intr", "^K", "min", "7");
    settings = stty("-g");
    spindle =
        SpindleProcess.prepareTestMain(
                folder,
                RunOnAnyKvm.class,
                "--kernel",
                EchoGuest.code().write(folder.resolve("kernel")).toString())
            .redirectInput(Path.of(terminal).toFile())
            .redirectOutput(Path.of(terminal).toFile())
            .start();
    assertEquals(">", until(">"));
  }

  @AfterEach
  void end() throws Exception {
    // All of them are this test's own.
    List<ProcessHandle> rest =
        Stream.concat(script.descendants(), Stream.of(script.toHandle(), spindle.toHandle()))
            .toList();
    for (ProcessHandle process : rest) {
      process.destroyForcibly();
    }
  }

  /** Returns what the terminal shows up to the first {@code end}. */
  private String until(String end) throws IOException {
    StringBuilder shown = new StringBuilder();
    while (shown.indexOf(end) < 0) {
      int next = script.getInputStream().read();
      assertTrue(next >= 0, () -> "the terminal is gone after '" + shown + "'");
      shown.append((char) next);
    }
    return shown.toString();
  }

  private void type(String keys) throws IOException {
    script.getOutputStream().write(keys.getBytes(ISO_8859_1));
    script.getOutputStream().flush();
  }

  private String stty(String... arguments) throws Exception {
    Process stty =
        new ProcessBuilder(
                Stream.concat(Stream.of("stty", "-F", terminal), Stream.of(arguments)).toList())
            .redirectErrorStream(true)
            .start();
    String answer = new String(stty.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, stty.waitFor(), answer);
    return answer;
  }

  private void assertEnd(int status) throws Exception {
    String errors = new String(spindle.getErrorStream().readAllBytes(), UTF_8);
    assertEquals(status, spindle.waitFor(), errors);
    if (status != 1) {
      assertEquals("", errors);
    }
    assertEquals(settings, stty("-g"), "the terminal is as before");
  }

  @Test
  void everyKeyIsTheGuestsUntilItSwitchesOff() throws Exception {
    assertNotEquals(settings, stty("-g"));
    String flags = stty("-a");
    for (String off : List.of("-isig", "-icanon", "-echo ", "-ixon", "-icrnl")) {
      assertTrue(flags.contains(off), () -> off + " in " + flags);
    }
    // Interrupt, end of file, suspend, stop, quit, carriage return, and an escape sequence.
    String keys = "\u0003\u0004\u001A\u0013\u001C\u000B\r\u001B[A";
    type(keys + ".");
    assertEquals(keys + ".", until("."));
    type("q");
    assertEquals("q", until("q"));
    assertEnd(0);
  }

  @Test
  void afterCtrlASomeKeysAreSpindles() throws Exception {
    type("a" + CTRL_A + CTRL_A + CTRL_A + "zb");
    assertEquals("a" + CTRL_A + "b", until("b"));
    type(CTRL_A + "h");
    assertTrue(until("send Ctrl-A").contains("Ctrl-A X    end Spindle\r"));
    type(CTRL_A + "x");
    assertEnd(0);
  }

  @Test
  void aResetStartsTheGuestAnewOnTheSameTerminal() throws Exception {
    type("r");
    assertEquals("r>", until(">"));
    type("again.");
    assertEquals("again.", until("."));
    type("q");
    assertEnd(0);
  }

  @Test
  void anErrorEndsItWithTheTerminalRestored() throws Exception {
    type("f");
    assertEnd(1);
  }

  /** As the kernel numbers them, and as shells report a process that one of them has ended. */
  @ParameterizedTest
  @CsvSource({"HUP, 129", "INT, 130", "TERM, 143"})
  void aSignalEndsItWithTheTerminalRestored(String signal, int status) throws Exception {
    signal(signal);
    assertEnd(status);
  }

  @Test
  void theTerminalIsRestoredEvenIfSpindleIsKilled() throws Exception {
    signal("KILL");
    assertEquals(137, spindle.waitFor());
    // By the guard, which goes on for a moment.
    while (!stty("-g").equals(settings)) {
      Thread.onSpinWait();
    }
  }

  private void signal(String name) throws Exception {
    // The shell's own kill, for there need not be a program.
    String kill = "kill -" + name + " " + spindle.pid();
    assertEquals(0, new ProcessBuilder("sh", "-c", kill).start().waitFor());
  }
}
