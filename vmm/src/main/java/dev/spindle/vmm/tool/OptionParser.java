// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a command line as the C library's getopt_long does: options may come anywhere, short ones
 * in clusters, long ones shortened as far as they remain clear; {@code --} ends them.
 */
public final class OptionParser {
  /**
   * An option that was given.
   *
   * @param name a letter, or the long name where the option has no letter
   * @param value empty if it takes none
   */
  public record Option(String name, String value) {}

  /**
   * What was given.
   *
   * @param options in the order given
   * @param operands the rest, in the order given
   */
  public record Parsed(List<Option> options, List<String> operands) {
    /** Whether an option was given. */
    public boolean has(String name) {
      return options.stream().anyMatch(option -> option.name().equals(name));
    }

    /** All values that an option was given, in order. */
    public List<String> all(String name) {
      return options.stream()
          .filter(option -> option.name().equals(name))
          .map(Option::value)
          .toList();
    }

    /** The value that an option was given last, or null. */
    public String last(String name) {
      String value = null;
      for (Option option : options) {
        if (option.name().equals(name)) {
          value = option.value();
        }
      }
      return value;
    }
  }

  /** An option is not known, or lacks its value. */
  public static final class BadOption extends Exception {
    private static final long serialVersionUID = 1;
    private final String option;
    private final boolean missingValue;

    BadOption(String option, boolean missingValue) {
      super(option);
      this.option = option;
      this.missingValue = missingValue;
    }

    /** The word as given, or one letter of it with a dash. */
    public String option() {
      return option;
    }

    /** Whether it is known, and its value is missing. */
    public boolean isMissingValue() {
      return missingValue;
    }
  }

  private final String letters;
  private final Map<String, String> longNames = new LinkedHashMap<>();

  /**
   * Knows options.
   *
   * @param letters as for getopt: letters, each followed by a colon if it takes a value
   * @param longNames long options; with a colon if it takes a value, with {@code =X} if it is the
   *     same as the letter X
   */
  public OptionParser(String letters, String... longNames) {
    this.letters = letters;
    for (String name : longNames) {
      int equals = name.indexOf('=');
      if (equals >= 0) {
        this.longNames.put(name.substring(0, equals), name.substring(equals + 1));
      } else {
        this.longNames.put(name.replace(":", ""), name);
      }
    }
  }

  /** Reads a command line. */
  public Parsed parse(List<String> arguments) throws BadOption {
    List<Option> options = new ArrayList<>();
    List<String> operands = new ArrayList<>();
    int index = 0;
    while (index < arguments.size()) {
      String word = arguments.get(index++);
      if (word.equals("--")) {
        operands.addAll(arguments.subList(index, arguments.size()));
        break;
      }
      String next = index < arguments.size() ? arguments.get(index) : null;
      if (word.startsWith("--")) {
        index += readLong(word, next, options);
      } else if (word.startsWith("-") && word.length() > 1) {
        index += readCluster(word, next, options);
      } else {
        operands.add(word);
      }
    }
    return new Parsed(List.copyOf(options), List.copyOf(operands));
  }

  /** Returns how many further words it took. */
  private int readLong(String word, String next, List<Option> options) throws BadOption {
    int equals = word.indexOf('=');
    String name = word.substring(2, equals < 0 ? word.length() : equals);
    String target = find(name);
    if (target == null) {
      throw new BadOption(word, false);
    }
    boolean letter = target.length() == 1;
    boolean takesValue = letter ? takesValue(target.charAt(0)) : target.endsWith(":");
    String canonical = letter ? target : target.replace(":", "");
    if (!takesValue) {
      if (equals >= 0) {
        throw new BadOption(word, false);
      }
      options.add(new Option(canonical, ""));
      return 0;
    }
    if (equals >= 0) {
      options.add(new Option(canonical, word.substring(equals + 1)));
      return 0;
    }
    if (next == null) {
      throw new BadOption(word, true);
    }
    options.add(new Option(canonical, next));
    return 1;
  }

  private String find(String name) {
    if (longNames.containsKey(name)) {
      return longNames.get(name);
    }
    String found = null;
    for (Map.Entry<String, String> entry : longNames.entrySet()) {
      if (entry.getKey().startsWith(name)) {
        if (found != null && !found.equals(entry.getValue())) {
          return null;
        }
        found = entry.getValue();
      }
    }
    return found;
  }

  private int readCluster(String word, String next, List<Option> options) throws BadOption {
    for (int i = 1; i < word.length(); i++) {
      char letter = word.charAt(i);
      if (letter == ':' || letters.indexOf(letter) < 0) {
        throw new BadOption("-" + letter, false);
      }
      if (!takesValue(letter)) {
        options.add(new Option(String.valueOf(letter), ""));
        continue;
      }
      if (i + 1 < word.length()) {
        options.add(new Option(String.valueOf(letter), word.substring(i + 1)));
        return 0;
      }
      if (next == null) {
        throw new BadOption("-" + letter, true);
      }
      options.add(new Option(String.valueOf(letter), next));
      return 1;
    }
    return 0;
  }

  private boolean takesValue(char letter) {
    return letters.contains(letter + ":");
  }
}
