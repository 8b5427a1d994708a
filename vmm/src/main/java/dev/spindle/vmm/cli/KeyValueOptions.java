// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The argument of an option that describes an object, in either of QEMU's spellings: {@code
 * driver=file,node-name=disk0,cache.direct=on}, or one JSON object ({@link JsonOptions}). In the
 * first, two commas stand for one within a value.
 */
final class KeyValueOptions {
  private KeyValueOptions() {}

  /**
   * Reads an argument.
   *
   * @param option how errors name the option, such as {@code --device}
   * @param argument what the user wrote
   * @param impliedKey the key of a first part that has none ({@code virtio-blk-pci,…}), or null if
   *     every part needs its key
   * @throws OptionException if it has neither of the two forms
   */
  static Options parse(String option, String argument, String impliedKey) throws OptionException {
    Map<String, String> values =
        argument.stripLeading().startsWith("{")
            ? JsonOptions.parse(option, argument)
            : readPairs(option, argument, impliedKey);
    return new Options(owner(option, values), values);
  }

  /** Names the object by what the user called it, if he did. */
  private static String owner(String option, Map<String, String> values) {
    for (String key : new String[] {"node-name", "id", "driver", "qom-type"}) {
      if (values.containsKey(key)) {
        return option + " " + values.get(key);
      }
    }
    return option;
  }

  private static Map<String, String> readPairs(String option, String argument, String impliedKey)
      throws OptionException {
    Map<String, String> values = new LinkedHashMap<>();
    int position = 0;
    boolean first = true;
    while (position < argument.length() || first) {
      StringBuilder part = new StringBuilder();
      position = readPart(argument, position, part);
      String text = part.toString();
      int equals = text.indexOf('=');
      if (equals > 0) {
        put(option, values, text.substring(0, equals), text.substring(equals + 1));
      } else if (first && impliedKey != null && equals < 0 && !text.isEmpty()) {
        put(option, values, impliedKey, text);
      } else {
        throw new OptionException(option + ": expected key=value, not '" + text + "'");
      }
      first = false;
    }
    return values;
  }

  /** Appends up to the next single comma to {@code part}; returns where to go on. */
  private static int readPart(String argument, int start, StringBuilder part) {
    int position = start;
    while (position < argument.length()) {
      char c = argument.charAt(position++);
      if (c != ',') {
        part.append(c);
      } else if (position < argument.length() && argument.charAt(position) == ',') {
        part.append(',');
        position++;
      } else {
        break;
      }
    }
    return position;
  }

  private static void put(String option, Map<String, String> values, String key, String value)
      throws OptionException {
    if (values.put(key, value) != null) {
      throw new OptionException(option + ": parameter '" + key + "' is given twice");
    }
  }
}
