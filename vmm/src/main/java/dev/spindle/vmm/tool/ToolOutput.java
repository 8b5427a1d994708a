// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Where a tool writes. As in a C program, what goes to standard output is kept until there is a
 * page of it or the tool ends, while errors go out at once: scripts that send both to one file have
 * come to rely on the order.
 */
public final class ToolOutput {
  private static final int PAGE = 4096;

  private final String program;
  private final PrintStream out;
  private final PrintStream err;

  /**
   * Writes to given streams.
   *
   * @param program how messages call the tool
   */
  public ToolOutput(String program, OutputStream out, OutputStream err) {
    this.program = program;
    this.out = new PrintStream(new BufferedOutputStream(out, PAGE), false, StandardCharsets.UTF_8);
    this.err = new PrintStream(err, true, StandardCharsets.UTF_8);
  }

  /** Writes to the process's own streams. */
  public static ToolOutput ofProcess(String program) {
    return new ToolOutput(
        program,
        new FileOutputStream(FileDescriptor.out),
        new FileOutputStream(FileDescriptor.err));
  }

  /** How messages call the tool. */
  public String program() {
    return program;
  }

  /** Text for standard output. */
  public void print(String text) {
    out.print(text);
  }

  /** A line for standard output. */
  public void println(String line) {
    out.print(line);
    out.print('\n');
  }

  /** A line for standard error, as it is. */
  public void errorLine(String line) {
    err.print(line + "\n");
  }

  /** A message: the tool's name, and a sentence. */
  public void error(String message) {
    errorLine(program + ": " + message);
  }

  /** Has all that was printed go out. */
  public void flush() {
    out.flush();
  }

  /** For a subclass of streams, such as a progress bar, that goes out at once. */
  public void printNow(String text) {
    out.print(text);
    out.flush();
  }
}
