// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;

/**
 * One of {@code io}'s commands.
 *
 * @param name its name
 * @param shortName another one, or empty
 * @param letters its options, as for getopt
 * @param least how many words must follow, options among them
 * @param most how many may; -1 for any number
 * @param usage what may follow
 * @param purpose what it does, in a few words
 * @param action does it
 * @param withoutImage whether it needs no image
 */
record IoCommand(
    String name,
    String shortName,
    String letters,
    int least,
    int most,
    String usage,
    String purpose,
    Action action,
    boolean withoutImage) {
  /** What a command does. */
  @FunctionalInterface
  interface Action {
    /**
     * Does it.
     *
     * @return whether all went well
     * @throws Misuse if what follows the command's name cannot be
     * @throws ToolException what to tell the user on standard error
     */
    boolean run(IoSession session, Parsed parsed) throws Misuse, ToolException;
  }

  /** A command line that cannot be. */
  static final class Misuse extends Exception {
    private static final long serialVersionUID = 1;

    /** Says so by showing how it should be. */
    Misuse() {
      super((String) null);
    }

    /** Says so in words, on standard output. */
    Misuse(String message) {
      super(message);
    }
  }

  IoCommand(
      String name,
      String shortName,
      String letters,
      int least,
      int most,
      String usage,
      String purpose,
      Action action) {
    this(name, shortName, letters, least, most, usage, purpose, action, false);
  }

  IoCommand needingNoImage() {
    return new IoCommand(name, shortName, letters, least, most, usage, purpose, action, true);
  }

  /** As it is shown to who has misused it. */
  String line() {
    return name + " " + usage + (usage.isEmpty() ? "" : " ") + "-- " + purpose;
  }
}
