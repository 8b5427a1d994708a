// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * QEMU's text for named values: {@code driver=file,node-name=disk0,cache.direct=on}. Two commas
 * stand for one within a value.
 */
public final class KeyValues {
  private KeyValues() {}

  /**
   * Reads a text.
   *
   * @param option how errors name what is described, such as {@code --device}
   * @param text what the user wrote
   * @param impliedKey the key of a first part that has none ({@code virtio-blk-pci,…}), or null if
   *     every part needs its key
   * @return the values by key, in the order given
   * @throws OptionException if there is nothing, a part has no key, or a key is given twice
   */
  public static Map<String, String> parse(String option, String text, String impliedKey)
      throws OptionException {
    if (text.isEmpty()) {
      String expected = impliedKey == null ? "key=value" : impliedKey + "=…";
      throw new OptionException(option + ": nothing is given, expected " + expected);
    }
    Map<String, String> values = new LinkedHashMap<>();
    int position = 0;
    boolean first = true;
    while (position < text.length()) {
      StringBuilder parsed = new StringBuilder();
      position = readPart(text, position, parsed);
      String part = parsed.toString();
      int equals = part.indexOf('=');
      if (equals > 0) {
        put(option, values, part.substring(0, equals), part.substring(equals + 1));
      } else if (first && impliedKey != null && equals < 0 && !part.isEmpty()) {
        put(option, values, impliedKey, part);
      } else {
        throw new OptionException(option + ": expected key=value, not '" + part + "'");
      }
      first = false;
    }
    return values;
  }

  /** Appends up to the next single comma to {@code part}; returns where to go on. */
  private static int readPart(String text, int start, StringBuilder part) {
    int position = start;
    while (position < text.length()) {
      char c = text.charAt(position++);
      if (c != ',') {
        part.append(c);
      } else if (position < text.length() && text.charAt(position) == ',') {
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
