// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.nio.file.Files;
import java.nio.file.Path;

/** How a process leaves the terminal it was started from. Any thread. */
public final class Session {
  private static final Path NOWHERE = Path.of("/dev/null");
  private static final Path ERROR = Path.of("/proc/self/fd/2");
  private static final int STANDARD_OUTPUT = 1;
  private static final int STANDARD_ERROR = 2;

  private Session() {}

  /**
   * Makes the process the leader of a new session, without a terminal (setsid(2)).
   *
   * @throws LinuxException EPERM if it leads a process group
   */
  public static void begin() throws LinuxException {
    LinuxException.check("setsid", "", Syscall.invoke(SyscallNumber.SETSID, 0));
  }

  /**
   * Has standard input and output lead nowhere, and standard error too unless it goes to a regular
   * file: only that outlasts the terminal or the program that the process was started from.
   */
  public static void discardStandardStreams() throws LinuxException {
    int last = Files.isRegularFile(ERROR) ? STANDARD_OUTPUT : STANDARD_ERROR;
    try (LinuxFile nowhere = LinuxFile.open(NOWHERE, OpenFlag.READ_WRITE)) {
      for (int stream = 0; stream <= last; stream++) {
        LinuxException.check(
            "dup3",
            NOWHERE.toString(),
            Syscall.invoke(SyscallNumber.DUP3, nowhere.fd().number(), stream, 0));
      }
    }
  }
}
