// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Options as one JSON object, as image names have it ({@code json:{…}}), flattened: members of
 * nested objects get dotted names, elements of arrays their number. A small strict reader (RFC
 * 8259, and strings between single quotes, as QEMU reads them), for images name other images by
 * such texts, long before anybody needs a JSON library.
 */
public final class JsonValues {
  private static final int MOST_LEVELS = 64;

  private final String text;
  private final Map<String, String> values = new LinkedHashMap<>();
  private final Set<String> notText = new HashSet<>();
  private int position;

  private JsonValues(String text) {
    this.text = text;
  }

  /**
   * Reads a text that is one object and nothing else.
   *
   * @throws OptionException if it is not, has {@code null} in it, or one name twice
   */
  public static JsonValues parse(String text) throws OptionException {
    JsonValues json = new JsonValues(text);
    json.skipBlanks();
    if (json.peek() != '{') {
      throw json.wrong("an object is missing");
    }
    json.readValue("", 0);
    json.skipBlanks();
    if (json.position < text.length()) {
      throw json.wrong("something follows the object");
    }
    return json;
  }

  /** The values by key, in the order given; {@code on} and {@code off} for truth values. */
  public Map<String, String> values() {
    return values;
  }

  /** The keys of those that are no strings. */
  public Set<String> notText() {
    return notText;
  }

  private void readValue(String name, int level) throws OptionException {
    if (level > MOST_LEVELS) {
      throw wrong("more than " + MOST_LEVELS + " levels");
    }
    skipBlanks();
    switch (peek()) {
      case '{' -> readObject(name, level);
      case '[' -> readArray(name, level);
      case '"', '\'' -> put(name, readString(), true);
      default -> readWord(name);
    }
  }

  private void readObject(String name, int level) throws OptionException {
    position++;
    skipBlanks();
    if (peek() == '}') {
      position++;
      return;
    }
    do {
      skipBlanks();
      if (peek() != '"' && peek() != '\'') {
        throw wrong("a name is missing");
      }
      String member = readString();
      skipBlanks();
      expect(':');
      readValue(name.isEmpty() ? member : name + "." + member, level + 1);
      skipBlanks();
    } while (accept(','));
    expect('}');
  }

  private void readArray(String name, int level) throws OptionException {
    position++;
    skipBlanks();
    if (accept(']')) {
      return;
    }
    int index = 0;
    do {
      readValue(name + "." + index++, level + 1);
      skipBlanks();
    } while (accept(','));
    expect(']');
  }

  private void readWord(String name) throws OptionException {
    int start = position;
    while (position < text.length()
        && "+-.0123456789abcdefghijklmnopqrstuvwxyzE".indexOf(peek()) >= 0) {
      position++;
    }
    String word = text.substring(start, position);
    switch (word) {
      case "true" -> put(name, "on", false);
      case "false" -> put(name, "off", false);
      case "null" -> throw new OptionException("parameter '" + name + "' is null");
      default -> {
        if (!word.matches("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?")) {
          position = start;
          throw wrong("a value is missing");
        }
        put(name, word, false);
      }
    }
  }

  private String readString() throws OptionException {
    char quote = next();
    StringBuilder content = new StringBuilder();
    while (true) {
      char c = next();
      if (c == quote) {
        return content.toString();
      }
      if (c < ' ') {
        position--;
        throw wrong("a control character in a string");
      }
      content.append(c == '\\' ? readEscape() : c);
    }
  }

  private char readEscape() throws OptionException {
    char c = next();
    return switch (c) {
      case '"', '\'', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        int code = 0;
        for (int i = 0; i < 4; i++) {
          int digit = Character.digit(next(), 16);
          if (digit < 0) {
            throw wrong("four hexadecimal digits are missing");
          }
          code = code * 16 + digit;
        }
        yield (char) code;
      }
      default -> throw wrong("an unknown escape");
    };
  }

  private void put(String name, String value, boolean isText) throws OptionException {
    if (values.put(name, value) != null) {
      throw new OptionException("parameter '" + name + "' is given twice");
    }
    if (!isText) {
      notText.add(name);
    }
  }

  private void skipBlanks() {
    while (position < text.length() && " \t\n\r".indexOf(text.charAt(position)) >= 0) {
      position++;
    }
  }

  private char peek() {
    return position < text.length() ? text.charAt(position) : '\0';
  }

  private char next() throws OptionException {
    if (position == text.length()) {
      throw wrong("the text ends too early");
    }
    return text.charAt(position++);
  }

  private boolean accept(char c) {
    if (peek() != c) {
      return false;
    }
    position++;
    return true;
  }

  private void expect(char c) throws OptionException {
    if (!accept(c)) {
      throw wrong("'" + c + "' is missing");
    }
  }

  private OptionException wrong(String what) {
    return new OptionException("not JSON, at character " + (position + 1) + ": " + what);
  }
}
