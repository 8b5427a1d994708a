// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.TerminalConstants.Termios;
import dev.spindle.linux.TerminalConstants.Winsize;
import dev.spindle.linux.internal.Syscall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A terminal's settings. {@link #setRaw} lets every key through to the reader, and {@link #restore}
 * puts back what was there when the object was made. Usable from any thread, a shutdown hook
 * included.
 */
public final class Terminal {
  /**
   * A terminal's size in characters; zeroes if it does not know.
   *
   * @param rows lines
   * @param columns characters in a line
   */
  public record WindowSize(int rows, int columns) {}

  private final Fd fd;
  private final MemorySegment original;

  private Terminal(Fd fd, MemorySegment original) {
    this.fd = fd;
    this.original = original;
  }

  /** Whether a descriptor is a terminal. */
  public static boolean isTerminal(Fd fd) {
    try (Arena arena = Arena.ofConfined()) {
      long attributes = arena.allocate(Termios.SIZE, 8).address();
      return Syscall.ioctl(fd.number(), TerminalConstants.TCGETS, attributes) == 0;
    }
  }

  /**
   * Remembers a terminal's settings.
   *
   * @throws LinuxException {@code ENOTTY} if the descriptor is no terminal
   */
  public static Terminal of(Fd fd) throws LinuxException {
    MemorySegment attributes = Arena.ofAuto().allocate(Termios.SIZE, 8);
    long result = Syscall.ioctl(fd.number(), TerminalConstants.TCGETS, attributes.address());
    LinuxException.check("ioctl(TCGETS)", fd.name(), result);
    return new Terminal(fd, attributes);
  }

  /**
   * Every key reaches the reader at once and unchanged: no echo, no lines, no signals, no flow
   * control, no translation. Output is still translated, so that a line feed returns the cursor.
   */
  public void setRaw() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment raw = arena.allocate(Termios.SIZE, 8).copyFrom(original);
      change(
          raw,
          Termios.C_IFLAG,
          TerminalConstants.IGNBRK
              | TerminalConstants.BRKINT
              | TerminalConstants.PARMRK
              | TerminalConstants.ISTRIP
              | TerminalConstants.INLCR
              | TerminalConstants.IGNCR
              | TerminalConstants.ICRNL
              | TerminalConstants.IXON,
          0);
      change(
          raw,
          Termios.C_CFLAG,
          TerminalConstants.CSIZE | TerminalConstants.PARENB,
          TerminalConstants.CS8);
      change(
          raw,
          Termios.C_LFLAG,
          TerminalConstants.ISIG
              | TerminalConstants.ICANON
              | TerminalConstants.ECHO
              | TerminalConstants.ECHONL
              | TerminalConstants.IEXTEN,
          0);
      raw.set(ValueLayout.JAVA_BYTE, Termios.C_CC + TerminalConstants.VMIN, (byte) 1);
      raw.set(ValueLayout.JAVA_BYTE, Termios.C_CC + TerminalConstants.VTIME, (byte) 0);
      apply(raw);
    }
  }

  private static void change(MemorySegment attributes, int field, int cleared, int set) {
    int flags = attributes.get(ValueLayout.JAVA_INT, field);
    attributes.set(ValueLayout.JAVA_INT, field, (flags & ~cleared) | set);
  }

  /** Puts back the settings from when this object was made. Idempotent. */
  public void restore() throws LinuxException {
    apply(original);
  }

  private void apply(MemorySegment attributes) throws LinuxException {
    // Waits for output that is under way, so that it is still printed as it was meant.
    long result = Syscall.ioctl(fd.number(), TerminalConstants.TCSETSW, attributes.address());
    LinuxException.check("ioctl(TCSETSW)", fd.name(), result);
  }

  /** How large the terminal is. */
  public WindowSize windowSize() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment size = arena.allocate(Winsize.SIZE, 8);
      long result = Syscall.ioctl(fd.number(), TerminalConstants.TIOCGWINSZ, size.address());
      LinuxException.check("ioctl(TIOCGWINSZ)", fd.name(), result);
      return new WindowSize(
          Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, Winsize.WS_ROW)),
          Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, Winsize.WS_COL)));
    }
  }
}
