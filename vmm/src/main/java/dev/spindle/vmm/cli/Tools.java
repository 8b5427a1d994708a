// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.vmm.img.Img;
import dev.spindle.vmm.io.Io;
import dev.spindle.vmm.tool.ToolOutput;
import java.util.Arrays;
import java.util.List;

/**
 * The commands that stand in for QEMU's tools: {@code img} and {@code io}. Their command lines are
 * read as QEMU's are, and they start in a fraction of what the library costs that reads the others.
 */
final class Tools {
  /** The name by which a launcher wants a tool to speak of itself. */
  private static final String NAME = "spindle.program";

  private Tools() {}

  static boolean isTool(String[] arguments) {
    return arguments.length > 0 && (arguments[0].equals("img") || arguments[0].equals("io"));
  }

  /** Runs a command line that {@link #isTool}; returns the exit status. */
  static int run(String[] arguments) {
    boolean img = arguments[0].equals("img");
    String name = System.getProperty(NAME, "spindle " + arguments[0]);
    List<String> rest = Arrays.asList(arguments).subList(1, arguments.length);
    ToolOutput output = ToolOutput.ofProcess(name);
    return img ? Img.run(output, rest) : Io.run(output, rest, System.in);
  }
}
