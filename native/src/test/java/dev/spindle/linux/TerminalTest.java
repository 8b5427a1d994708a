// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.LastErrorException;
import com.sun.jna.Native;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A pseudo-terminal made by JNA, with stty(1) as the judge. */
class TerminalTest {
  /** What makes a pseudo-terminal. */
  public interface Libc extends com.sun.jna.Library {
    int posix_openpt(int flags) throws LastErrorException;

    int unlockpt(int fd) throws LastErrorException;

    String ptsname(int fd);
  }

  private static final Libc LIBC = Native.load("c", Libc.class);

  private Fd controller;
  private LinuxFile terminal;
  private String name;

  @BeforeEach
  void open() throws Exception {
    int number = LIBC.posix_openpt(FileConstants.O_RDWR | FileConstants.O_NOCTTY);
    controller = Fd.owning(number, "pty");
    LIBC.unlockpt(number);
    name = LIBC.ptsname(number);
    terminal = LinuxFile.open(Path.of(name), OpenFlag.READ_WRITE);
  }

  @AfterEach
  void close() {
    terminal.close();
    controller.close();
  }

  private String stty(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 3];
    command[0] = "stty";
    command[1] = "-F";
    command[2] = name;
    System.arraycopy(arguments, 0, command, 3, arguments.length);
    return Programs.run(command);
  }

  @Test
  void rawModeLetsEveryKeyThrough() throws Exception {
    Terminal settings = Terminal.of(terminal.fd());
    settings.setRaw();
    List<String> flags = List.of(stty("-a").split("[\\s;]+"));
    for (String off :
        List.of("-isig", "-icanon", "-echo", "-echonl", "-iexten", "-ixon", "-icrnl", "-brkint")) {
      assertTrue(flags.contains(off), off + " in " + flags);
    }
    assertTrue(flags.contains("cs8") && flags.contains("opost"), flags.toString());

    try (Arena arena = Arena.ofConfined()) {
      MemorySegment keys = arena.allocateFrom(ValueLayout.JAVA_BYTE, new byte[] {3, 1, 13, 4});
      assertEquals(4, controller.write(keys));
      MemorySegment read = arena.allocate(16);
      assertEquals(4, terminal.fd().read(read), "control characters arrive as they are");
      assertEquals(-1, read.asSlice(0, 4).mismatch(keys));
    }
  }

  @Test
  void restorePutsEverythingBack() throws Exception {
    stty("ixany", "-echoe", "intr", "^K", "eof", "^B", "min", "7");
    String before = stty("-g");
    Terminal settings = Terminal.of(terminal.fd());
    settings.setRaw();
    assertFalse(stty("-g").equals(before));
    settings.restore();
    assertEquals(before, stty("-g"));
    settings.restore();
    assertEquals(before, stty("-g"));
  }

  @Test
  void theSizeIsSttys() throws Exception {
    stty("rows", "33", "cols", "132");
    assertEquals(new Terminal.WindowSize(33, 132), Terminal.of(terminal.fd()).windowSize());
  }

  @Test
  void whatIsNoTerminalIsTold() throws Exception {
    assertTrue(Terminal.isTerminal(terminal.fd()));
    try (EventFd event = EventFd.create()) {
      assertFalse(Terminal.isTerminal(event.fd()));
      LinuxException e = assertThrows(LinuxException.class, () -> Terminal.of(event.fd()));
      assertEquals(Errno.ENOTTY, e.errno());
    }
  }
}
