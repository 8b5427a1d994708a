// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

import java.math.BigDecimal;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** A JSON value (RFC 8259). {@code toString} is its text, on one line. */
public sealed interface Json {
  /**
   * Reads one value from text that holds nothing else.
   *
   * @throws JsonException if the text is not JSON
   */
  static Json parse(String text) throws JsonException {
    return new JsonReader(text).document();
  }

  /** An object; members keep their order. */
  record JsonObject(Map<String, Json> members) implements Json {
    /** Keeps its own copy. */
    public JsonObject {
      members = Collections.unmodifiableMap(new LinkedHashMap<>(members));
    }

    /** Returns a member, if the object has it. */
    public Optional<Json> get(String name) {
      return Optional.ofNullable(members.get(name));
    }

    @Override
    public String toString() {
      StringBuilder text = new StringBuilder("{");
      members.forEach(
          (name, value) ->
              text.append(text.length() == 1 ? "" : ", ")
                  .append(quote(name))
                  .append(": ")
                  .append(value));
      return text.append('}').toString();
    }
  }

  /** An array. */
  record JsonArray(List<Json> elements) implements Json {
    /** Keeps its own copy. */
    public JsonArray {
      elements = List.copyOf(elements);
    }

    @Override
    public String toString() {
      return elements.toString();
    }
  }

  /** A string. */
  record JsonString(String value) implements Json {
    @Override
    public String toString() {
      return quote(value);
    }
  }

  /** A number, exact as it was written. */
  record JsonNumber(BigDecimal value) implements Json {
    /** Returns a whole number. */
    public static JsonNumber of(long value) {
      return new JsonNumber(BigDecimal.valueOf(value));
    }

    @Override
    public String toString() {
      return value.toString();
    }
  }

  /** True or false. */
  record JsonBoolean(boolean value) implements Json {
    @Override
    public String toString() {
      return Boolean.toString(value);
    }
  }

  /** Null. */
  record JsonNull() implements Json {
    @Override
    public String toString() {
      return "null";
    }
  }

  /** Returns {@code text} as a JSON string literal. */
  static String quote(String text) {
    StringBuilder literal = new StringBuilder(text.length() + 2).append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"', '\\' -> literal.append('\\').append(c);
        case '\n' -> literal.append("\\n");
        case '\r' -> literal.append("\\r");
        case '\t' -> literal.append("\\t");
        default -> {
          if (c < ' ') {
            literal.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            literal.append(c);
          }
        }
      }
    }
    return literal.append('"').toString();
  }
}
