// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CConstants;
import dev.spindle.linux.internal.CStruct;

/** Constants of terminals, and the kernel's own {@code struct termios}. */
@CConstants(headers = {"asm/termbits.h", "asm/ioctls.h"})
final class TerminalConstants {
  static final int TCGETS = 0x5401;
  static final int TCSETSW = 0x5403;
  static final int TIOCGWINSZ = 0x5413;

  static final int IGNBRK = 1;
  static final int BRKINT = 2;
  static final int PARMRK = 8;
  static final int ISTRIP = 0x20;
  static final int INLCR = 0x40;
  static final int IGNCR = 0x80;
  static final int ICRNL = 0x100;
  static final int IXON = 0x400;
  static final int CSIZE = 0x30;
  static final int PARENB = 0x100;
  static final int CS8 = 0x30;
  static final int ISIG = 1;
  static final int ICANON = 2;
  static final int ECHO = 8;
  static final int ECHONL = 0x40;
  static final int IEXTEN = 0x8000;
  static final int VTIME = 5;
  static final int VMIN = 6;

  private TerminalConstants() {}

  /** A terminal's attributes. */
  @CStruct(value = "struct termios", headers = "asm/termbits.h")
  static final class Termios {
    static final int SIZE = 36;
    static final int C_IFLAG = 0;
    static final int C_CFLAG = 8;
    static final int C_LFLAG = 12;
    static final int C_CC = 17;

    private Termios() {}
  }

  /** A terminal's size. */
  @CStruct(value = "struct winsize", headers = "asm/termios.h")
  static final class Winsize {
    static final int SIZE = 8;
    static final int WS_ROW = 0;
    static final int WS_COL = 2;

    private Winsize() {}
  }
}
