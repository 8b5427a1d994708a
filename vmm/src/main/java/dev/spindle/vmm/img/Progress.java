// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ToolOutput;
import java.util.Locale;

/** A line that says how far a command is, and changes as it goes on. */
final class Progress {
  private static final double STEP = 2;

  private final ToolOutput output;
  private final boolean shown;
  private final double total;
  private double done;
  private double printed;

  /**
   * Shows nothing done.
   *
   * @param shown whether anything is printed at all
   * @param total bytes
   */
  Progress(ToolOutput output, boolean shown, long total) {
    this.output = output;
    this.shown = shown;
    this.total = total;
    print(0);
  }

  /** So many bytes more are done. */
  void add(long bytes) {
    done += bytes;
    double percent = total == 0 ? 100 : 100 * done / total;
    if (percent - printed >= STEP || (percent >= 100 && printed < 100)) {
      print(Math.min(100, percent));
    }
  }

  /** All is done. */
  void end() {
    print(100);
    if (shown) {
      output.printNow("\n");
    }
  }

  /** Ends the line, however far it has come. */
  void endLine() {
    if (shown) {
      output.printNow("\n");
    }
  }

  private void print(double percent) {
    printed = percent;
    if (shown) {
      output.printNow(String.format(Locale.ROOT, "    (%3.2f/100%%)\r", percent));
    }
  }
}
