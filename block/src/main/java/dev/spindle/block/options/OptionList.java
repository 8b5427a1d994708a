// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What an object may be given, for help: noted down while the very code that reads its options asks
 * for them, so that there is no second list to keep.
 */
public final class OptionList {
  /**
   * One option.
   *
   * @param key dotted where it belongs to a nested object; {@code N} stands for a number from 0 on,
   *     and {@code …} for more that the reader asks for only where something is given
   * @param values what it takes, as {@code on|off} or {@code SIZE}
   * @param otherwise what holds if it is not given, or nothing where that depends
   * @param required whether it must be given
   */
  public record Entry(String key, String values, String otherwise, boolean required) {
    /** Whether it takes the name of a node. */
    public boolean isNode() {
      return values.equals(NODE);
    }
  }

  /** Reads an object's options and makes nothing of them. */
  @FunctionalInterface
  public interface Reader {
    /** Takes from {@code options} all that it knows. */
    void read(Options options) throws IOException, OptionException;
  }

  /** The values of options that take the name of a node. */
  static final String NODE = "NODE";

  private static final String MORE = ".…";

  private final Map<String, Entry> entries = new LinkedHashMap<>();

  private OptionList() {}

  /** Returns what {@code reader} asks for, in the order of asking. */
  public static List<Entry> of(Reader reader) {
    try {
      return of(reader, Map.of());
    } catch (IOException | OptionException e) {
      throw new IllegalStateException("options are checked before all have been read", e);
    }
  }

  /**
   * As {@link #of(Reader)}, for a reader whose list depends on what some options are.
   *
   * @param given what the user gave beside his wish for help
   * @throws IOException if what these options name cannot be read
   * @throws OptionException if they do not go together
   */
  public static List<Entry> of(Reader reader, Map<String, String> given)
      throws IOException, OptionException {
    OptionList list = new OptionList();
    reader.read(Options.noting(list, given));
    return List.copyOf(list.entries.values());
  }

  void note(String key, String values, String otherwise, boolean required) {
    for (int dot = key.indexOf('.'); dot > 0; dot = key.indexOf('.', dot + 1)) {
      entries.remove(key.substring(0, dot) + MORE);
    }
    entries.merge(
        key,
        new Entry(key, values, otherwise, required),
        // Whether it is there may be asked before its value is.
        (before, now) ->
            new Entry(key, now.values, now.otherwise, before.required || now.required));
  }

  /** An object of its own, of which nothing more is known if nobody asks it for anything. */
  void noteNested(String prefix) {
    if (!entries.containsKey(prefix)) {
      entries.put(prefix + MORE, new Entry(prefix + MORE, "", "", false));
    }
  }
}
