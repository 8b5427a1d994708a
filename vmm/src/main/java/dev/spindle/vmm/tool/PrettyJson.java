// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * JSON as QEMU's tools print it: four blanks a level, and the members of objects in the order that
 * QEMU's tables happen to have, by which scripts have come to compare.
 */
public final class PrettyJson {
  private PrettyJson() {}

  /**
   * The text of a value.
   *
   * @param value a {@code Map}, {@code List}, {@code String}, {@code Boolean} or number
   */
  public static String of(Object value) {
    StringBuilder text = new StringBuilder();
    write(text, value, 0);
    return text.toString();
  }

  private static void write(StringBuilder text, Object value, int level) {
    switch (value) {
      case Map<?, ?> map -> {
        List<String> members = new ArrayList<>();
        map.keySet().forEach(key -> members.add((String) key));
        members.sort(MemberOrder.QEMU);
        List<Runnable> writers = new ArrayList<>();
        for (String member : members) {
          writers.add(
              () -> {
                writeString(text, member);
                text.append(": ");
                write(text, map.get(member), level + 1);
              });
        }
        writeAll(text, '{', writers, '}', level);
      }
      case List<?> list -> {
        List<Runnable> writers = new ArrayList<>();
        list.forEach(element -> writers.add(() -> write(text, element, level + 1)));
        writeAll(text, '[', writers, ']', level);
      }
      case String string -> writeString(text, string);
      default -> text.append(value);
    }
  }

  private static void writeAll(
      StringBuilder text, char open, List<Runnable> writers, char close, int level) {
    text.append(open);
    boolean first = true;
    for (Runnable writer : writers) {
      text.append(first ? "\n" : ",\n").repeat("    ", level + 1);
      first = false;
      writer.run();
    }
    text.append('\n').repeat("    ", level).append(close);
  }

  /** A string in quotes; what is not ASCII is escaped. */
  static void writeString(StringBuilder text, String string) {
    text.append('"');
    for (int i = 0; i < string.length(); i++) {
      char c = string.charAt(i);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\b' -> text.append("\\b");
        case '\f' -> text.append("\\f");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        default -> {
          if (c < ' ' || c > '~') {
            text.append(String.format("\\u%04X", (int) c));
          } else {
            text.append(c);
          }
        }
      }
    }
    text.append('"');
  }

  /** A string with quotes around it. */
  public static String quoted(String string) {
    StringBuilder text = new StringBuilder();
    writeString(text, string);
    return text.toString();
  }
}
