// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.export.ExportOptions;
import dev.spindle.block.export.ExportTypes;
import dev.spindle.block.export.nbd.NbdServerOptions;
import dev.spindle.block.graph.BlockDrivers;
import dev.spindle.block.options.NearNames;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.vmm.machine.DeviceOptions;
import dev.spindle.vmm.machine.ObjectTypes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/**
 * What {@code --object}, {@code --blockdev}, {@code --device} and {@code --export} answer to {@code
 * help} and to {@code KIND,help}, as in QEMU, {@code --nbd-server} to {@code help}, and what a
 * command's help says of them.
 */
final class OptionHelp {
  private static final int WIDTH = 80;
  private static final String HELP = "help";

  /** An option that describes things of several kinds. */
  private enum Option {
    OBJECT("--object", "", ObjectTypes.TAG),
    BLOCKDEV("--blockdev", "driver=", "driver"),
    DEVICE("--device", "", "driver"),
    EXPORT("--export", "type=", "type");

    final String option;

    /** What help puts before a kind. */
    final String before;

    final String key;

    Option(String option, String before, String key) {
      this.option = option;
      this.before = before;
      this.key = key;
    }

    Map<String, OptionList.Reader> kinds() {
      return switch (this) {
        case OBJECT -> ObjectTypes.readers();
        case DEVICE -> DeviceOptions.KINDS;
        case BLOCKDEV -> {
          Map<String, OptionList.Reader> kinds = new LinkedHashMap<>();
          BlockDrivers.load().forEach((name, driver) -> kinds.put(name, driver::read));
          yield kinds;
        }
        case EXPORT -> {
          Map<String, OptionList.Reader> kinds = new LinkedHashMap<>();
          ExportTypes.load()
              .forEach(
                  (name, type) ->
                      kinds.put(
                          name,
                          options -> {
                            ExportOptions.take(options);
                            type.read(options);
                          }));
          yield kinds;
        }
      };
    }
  }

  private OptionHelp() {}

  /** A sentence about a kind that does not exist: the near one, or where to find all of them. */
  static String unknown(String option, String what, String kind, Collection<String> kinds) {
    String hint = NearNames.hint(kind, kinds);
    String all = "; " + option + " help lists those that exist";
    return option + ": unknown " + what + " '" + kind + "'" + (hint.isEmpty() ? all : hint);
  }

  /**
   * Prints the answer, if help is what the user asks one of the options for.
   *
   * @return whether he does
   * @throws OptionException if it is about a kind that does not exist
   */
  static boolean printed(CommandLine command) throws OptionException {
    Optional<String> help = asked(command.getParseResult());
    help.ifPresent(command.getOut()::print);
    command.getOut().flush();
    return help.isPresent();
  }

  private static Optional<String> asked(ParseResult parsed) throws OptionException {
    for (String argument :
        parsed.matchedOptionValue(StorageDaemonOptions.NBD_SERVER, List.<String>of())) {
      if (List.of(argument.split(",", -1)).contains(HELP)) {
        return Optional.of(
            table(StorageDaemonOptions.NBD_SERVER, OptionList.of(NbdServerOptions::read)));
      }
    }
    for (Option option : Option.values()) {
      for (String argument : parsed.matchedOptionValue(option.option, List.<String>of())) {
        List<String> words = List.of(argument.split(",", -1));
        if (words.contains(HELP)) {
          return Optional.of(words.getFirst().equals(HELP) ? kinds(option) : kind(option, words));
        }
      }
    }
    return Optional.empty();
  }

  /** Every option that a command has, with its kinds and what they take. */
  static String all(CommandSpec command) {
    StringBuilder text = new StringBuilder();
    for (Option option : Option.values()) {
      if (command.findOption(option.option) != null) {
        text.append(String.format("%n%s", kinds(option)));
      }
    }
    if (command.findOption(StorageDaemonOptions.NBD_SERVER) != null) {
      text.append(String.format("%n"));
      text.append(wrapped(StorageDaemonOptions.NBD_SERVER, keys(NbdServerOptions::read)));
    }
    return text.toString();
  }

  private static List<String> keys(OptionList.Reader reader) {
    return OptionList.of(reader).stream().map(OptionList.Entry::key).toList();
  }

  private static String kinds(Option option) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            "What %s takes (%s %sKIND,help says more):%n",
            option.option, option.option, option.before));
    option
        .kinds()
        .forEach((kind, reader) -> text.append(wrapped("  " + option.before + kind, keys(reader))));
    return text.toString();
  }

  /** Words after a first one, on lines of their own where they do not fit. */
  private static String wrapped(String first, List<String> words) {
    StringBuilder text = new StringBuilder();
    StringBuilder line = new StringBuilder(first);
    for (String word : words) {
      if (line.length() + ", ".length() + word.length() >= WIDTH) {
        text.append(String.format("%s,%n", line));
        line = new StringBuilder("     ");
      } else if (!word.equals(words.getFirst())) {
        line.append(',');
      } else {
        line.append(':');
      }
      line.append(' ').append(word);
    }
    return text.append(String.format("%s%n", line)).toString();
  }

  private static String kind(Option option, List<String> words) throws OptionException {
    Map<String, OptionList.Reader> kinds = option.kinds();
    String name =
        words.stream()
            .filter(word -> word.startsWith(option.key + "="))
            .map(word -> word.substring(option.key.length() + 1))
            .findFirst()
            .orElse(words.getFirst());
    OptionList.Reader reader = kinds.get(name);
    if (reader == null) {
      throw new OptionException(
          option.option + ": there is no '" + name + "'" + NearNames.hint(name, kinds.keySet()));
    }
    return table(option.option + " " + option.before + name, entries(reader, words));
  }

  private static String table(String what, List<OptionList.Entry> entries) {
    int width = entries.stream().mapToInt(entry -> usage(entry).length()).max().orElse(0);
    return entries.stream()
        .map(
            entry ->
                ("  %-" + width + "s  %s").formatted(usage(entry), note(entry)).stripTrailing())
        .collect(
            Collectors.joining(
                System.lineSeparator(),
                String.format("%s takes:%n", what),
                System.lineSeparator()));
  }

  /** Some kinds take more where one of their options says so. */
  private static List<OptionList.Entry> entries(OptionList.Reader reader, List<String> words)
      throws OptionException {
    Map<String, String> given = new LinkedHashMap<>();
    for (String word : words) {
      int equals = word.indexOf('=');
      if (equals > 0) {
        given.put(word.substring(0, equals), word.substring(equals + 1));
      }
    }
    try {
      return OptionList.of(reader, given);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String usage(OptionList.Entry entry) {
    return entry.key() + (entry.values().isEmpty() ? "" : "=" + entry.values());
  }

  private static String note(OptionList.Entry entry) {
    if (entry.required()) {
      return "must be given";
    }
    return entry.otherwise().isEmpty() ? "" : "default: " + entry.otherwise();
  }
}
