// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.io;

import dev.spindle.vmm.io.IoCommand.Misuse;
import dev.spindle.vmm.tool.OptionParser;
import dev.spindle.vmm.tool.OptionParser.BadOption;
import dev.spindle.vmm.tool.OptionParser.Parsed;
import dev.spindle.vmm.tool.ToolException;
import dev.spindle.vmm.tool.ToolOutput;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Finds commands by name and runs them. */
final class CommandLoop {
  private final IoSession session;
  private final ToolOutput output;
  private final Map<String, IoCommand> commands = new TreeMap<>();

  CommandLoop(IoSession session) {
    this.session = session;
    this.output = session.output();
    List<IoCommand> all = new ArrayList<>();
    all.addAll(DataCommands.all());
    all.addAll(AsyncCommands.all());
    all.addAll(ImageCommands.all());
    all.addAll(BreakCommands.all());
    all.addAll(OpenCommands.all());
    all.add(
        new IoCommand(
                "help",
                "?",
                "",
                0,
                1,
                "[command]",
                "help for one or all commands",
                (ignored, parsed) -> help(parsed))
            .needingNoImage());
    all.forEach(command -> commands.put(command.name(), command));
  }

  /** Runs one; whether all went well. */
  boolean run(String line) {
    List<String> words = new ArrayList<>();
    for (String word : line.strip().split(" +", -1)) {
      if (!word.isEmpty()) {
        words.add(word);
      }
    }
    if (words.isEmpty()) {
      return true;
    }
    IoCommand command = find(words.getFirst());
    if (command == null) {
      output.errorLine("command \"" + words.getFirst() + "\" not found");
      return false;
    }
    if (!command.withoutImage() && !session.hasImage()) {
      output.errorLine("no file open, try 'help open'");
      return false;
    }
    List<String> arguments = words.subList(1, words.size());
    String expected = expected(command, arguments.size());
    if (!expected.isEmpty()) {
      output.errorLine(
          "bad argument count %d to %s, expected %s arguments"
              .formatted(arguments.size(), words.getFirst(), expected));
      return false;
    }
    return run(command, words.getFirst(), arguments);
  }

  private boolean run(IoCommand command, String name, List<String> arguments) {
    try {
      Parsed parsed = new OptionParser(command.letters()).parse(arguments);
      return command.action().run(session, parsed);
    } catch (BadOption e) {
      String letter = e.option().startsWith("--") ? "-" : e.option().substring(1);
      output.errorLine(
          e.isMissingValue()
              ? "%s: option requires an argument -- '%s'".formatted(name, letter)
              : "%s: invalid option -- '%s'".formatted(name, letter));
      output.println(command.line());
    } catch (Misuse e) {
      output.println(e.getMessage() == null ? command.line() : e.getMessage());
    } catch (ToolException e) {
      output.error(e.getMessage());
    }
    return false;
  }

  private IoCommand find(String name) {
    IoCommand command = commands.get(name);
    if (command != null) {
      return command;
    }
    return commands.values().stream()
        .filter(one -> one.shortName().equals(name))
        .findFirst()
        .orElse(null);
  }

  /** How many arguments there should be, if there are not so many. */
  private static String expected(IoCommand command, int count) {
    if (count >= command.least() && (command.most() < 0 || count <= command.most())) {
      return "";
    }
    if (command.most() < 0) {
      return "at least " + command.least();
    }
    return command.least() == command.most()
        ? Integer.toString(command.least())
        : "between %d and %d".formatted(command.least(), command.most());
  }

  private boolean help(Parsed parsed) {
    if (parsed.operands().isEmpty()) {
      commands.values().forEach(command -> output.println(command.line()));
      output.print("\nUse 'help commandname' for extended help.\n");
      return true;
    }
    IoCommand command = find(parsed.operands().getFirst());
    if (command == null) {
      output.println("command " + parsed.operands().getFirst() + " not found");
      return false;
    }
    output.println(command.line());
    return true;
  }
}
