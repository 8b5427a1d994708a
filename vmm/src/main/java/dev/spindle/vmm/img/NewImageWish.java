// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.OptionParser.Option;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import java.util.List;

/**
 * What a command line says of the image that it wants made.
 *
 * @param format raw if it names none
 * @param texts each {@code -o}, as it was given
 */
record NewImageWish(String format, List<String> texts) {
  /**
   * Takes it from a command line.
   *
   * @param formatOption the letter of the option with the format
   */
  static NewImageWish of(Parsed parsed, String formatOption) {
    String format = parsed.last(formatOption);
    return new NewImageWish(
        format == null ? "raw" : format,
        parsed.options().stream()
            .filter(option -> option.name().equals("o"))
            .map(Option::value)
            .toList());
  }

  /** Whether the format's options are asked for, and nothing else is to be done. */
  boolean asksForHelp() {
    return texts.contains("help") || texts.contains("?");
  }

  /** Prints the format's options; returns the exit status. */
  int help(ImgSession session) throws ToolException {
    return session.run(
        () -> {
          session.output().print(NewImage.of(session.blocks(), format).help());
          return 0;
        });
  }
}
