// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.chardev;

import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Terminal;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A terminal in raw mode. {@link #close} restores it. Should the process end without calling that,
 * killed or crashed, a small shell that waits for its end does.
 */
final class RawTerminal implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RawTerminal.class);

  /**
   * Opens the terminal, remembers its settings, says so, and waits: a line means that all is well,
   * the end of input that this process is gone. A process in the background may change a terminal
   * only if it ignores SIGTTOU; the other signals are those that end the foreground.
   */
  private static final String GUARD =
      "trap '' TTOU INT TERM HUP QUIT TSTP; exec 3<\"/proc/$1/fd/$2\"; settings=$(stty -g <&3)"
          + " || exit; echo ready; read line || stty \"$settings\" <&3";

  private final Terminal terminal;
  private final Process guard;

  private RawTerminal(Terminal terminal, Process guard) {
    this.terminal = terminal;
    this.guard = guard;
  }

  /**
   * Switches a terminal to raw mode.
   *
   * @throws IOException if it cannot be switched, or the guard cannot be started
   */
  static RawTerminal enter(Fd fd) throws IOException {
    Terminal terminal = Terminal.of(fd);
    String pid = Long.toString(ProcessHandle.current().pid());
    Process guard =
        new ProcessBuilder("/bin/sh", "-c", GUARD, "sh", pid, Integer.toString(fd.number()))
            .redirectError(Redirect.DISCARD)
            .start();
    // Its settings must be the old ones.
    if (guard.getInputStream().read() < 0) {
      LOG.warn("the terminal will stay raw if Spindle is killed");
    }
    terminal.setRaw();
    return new RawTerminal(terminal, guard);
  }

  @Override
  public void close() throws LinuxException {
    terminal.restore();
    try {
      guard.getOutputStream().write('\n');
      guard.getOutputStream().close();
    } catch (IOException e) {
      LOG.debug("the terminal's guard is gone: {}", e.getMessage());
    }
  }
}
