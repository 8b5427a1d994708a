// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.img;

import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolOutput;
import java.util.List;

/** {@code spindle img}, and {@code qemu-img} where a script expects it. */
public final class Img {
  private Img() {}

  /**
   * Runs one command line.
   *
   * @param arguments those after the program's name
   * @return the exit status
   */
  public static int run(ToolOutput output, List<String> arguments) {
    int status;
    try {
      status = dispatch(output, arguments);
    } catch (ToolException e) {
      report(output, e);
      status = 1;
    }
    output.flush();
    return status;
  }

  /** Each line is a message of its own, but for hints. */
  static void report(ToolOutput output, ToolException e) {
    e.getMessage()
        .lines()
        .forEach(
            line -> {
              if (line.startsWith(ImgSession.HINT)) {
                output.errorLine(line.substring(ImgSession.HINT.length()));
              } else {
                output.error(line);
              }
              if (line.endsWith("is inconsistent and cannot be used")) {
                output.errorLine("Try block-dirty-bitmap-remove to delete this bitmap from disk");
              }
            });
  }

  private static int dispatch(ToolOutput output, List<String> given) throws ToolException {
    ImgSession session = new ImgSession(output);
    List<String> arguments = given;
    while (!arguments.isEmpty() && arguments.getFirst().startsWith("-")) {
      String option = arguments.getFirst();
      switch (option) {
        case "-h", "--help" -> {
          output.print(Help.text(output.program()));
          return 0;
        }
        case "-V", "--version" -> {
          output.print(Help.version(output.program()));
          return 0;
        }
        case "-T", "--trace" -> {
          if (arguments.size() < 2) {
            throw session.misuse("missing argument for option '" + option + "'");
          }
          // Events to be traced are QEMU's own.
          arguments = arguments.subList(2, arguments.size());
        }
        default -> throw session.misuse("unrecognized option '" + option + "'");
      }
    }
    if (arguments.isEmpty()) {
      throw session.misuse("Not enough arguments");
    }
    ImgCommand command = command(arguments.getFirst());
    if (command == null) {
      throw session.misuse("Command not found: " + arguments.getFirst());
    }
    try {
      return command.run(session, arguments.subList(1, arguments.size()));
    } finally {
      session.close();
    }
  }

  private static ImgCommand command(String name) {
    return switch (name) {
      case "amend" -> new AmendCommand();
      case "bench" -> new BenchCommand();
      case "bitmap" -> new BitmapCommand();
      case "check" -> new CheckCommand();
      case "commit" -> new CommitCommand();
      case "compare" -> new CompareCommand();
      case "convert" -> new ConvertCommand();
      case "create" -> new CreateCommand();
      case "dd" -> new DdCommand();
      case "info" -> new InfoCommand();
      case "map" -> new MapCommand();
      case "measure" -> new MeasureCommand();
      case "rebase" -> new RebaseCommand();
      case "resize" -> new ResizeCommand();
      case "snapshot" -> new SnapshotCommand();
      default -> null;
    };
  }
}
