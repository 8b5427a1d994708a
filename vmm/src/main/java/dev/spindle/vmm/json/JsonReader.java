// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON text by recursive descent. */
final class JsonReader {
  /** Deeper nesting is refused, so that no text can exhaust the stack. */
  private static final int DEEPEST = 512;

  private static final int LONGEST_NUMBER = 64;

  private final String text;
  private int position;
  private int depth;

  JsonReader(String text) {
    this.text = text;
  }

  Json document() throws JsonException {
    Json value = value();
    skipBlanks();
    if (position < text.length()) {
      throw problem("something follows the value");
    }
    return value;
  }

  private Json value() throws JsonException {
    skipBlanks();
    if (position == text.length()) {
      throw problem("a value is missing");
    }
    return switch (text.charAt(position)) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> new Json.JsonString(string());
      case 't' -> word("true", new Json.JsonBoolean(true));
      case 'f' -> word("false", new Json.JsonBoolean(false));
      case 'n' -> word("null", new Json.JsonNull());
      default -> number();
    };
  }

  private Json object() throws JsonException {
    enter();
    Map<String, Json> members = new LinkedHashMap<>();
    if (!next('}')) {
      do {
        skipBlanks();
        int start = position;
        String name = string();
        expect(':');
        if (members.put(name, value()) != null) {
          position = start;
          throw problem("member '" + name + "' occurs twice");
        }
      } while (next(','));
      expect('}');
    }
    depth--;
    return new Json.JsonObject(members);
  }

  private Json array() throws JsonException {
    enter();
    List<Json> elements = new ArrayList<>();
    if (!next(']')) {
      do {
        elements.add(value());
      } while (next(','));
      expect(']');
    }
    depth--;
    return new Json.JsonArray(elements);
  }

  private void enter() throws JsonException {
    position++;
    if (++depth > DEEPEST) {
      throw problem("values are nested too deeply");
    }
  }

  private String string() throws JsonException {
    if (position == text.length() || text.charAt(position) != '"') {
      throw problem("a string is missing");
    }
    position++;
    StringBuilder value = new StringBuilder();
    while (true) {
      char c = character();
      switch (c) {
        case '"' -> {
          return value.toString();
        }
        case '\\' -> value.append(escaped());
        default -> {
          if (c < ' ') {
            position--;
            throw problem("a control character is not escaped");
          }
          value.append(c);
        }
      }
    }
  }

  private char escaped() throws JsonException {
    char c = character();
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        int code = 0;
        for (int i = 0; i < 4; i++) {
          int digit = Character.digit(character(), 16);
          if (digit < 0) {
            position--;
            throw problem("\\u needs four hexadecimal digits");
          }
          code = code << 4 | digit;
        }
        yield (char) code;
      }
      default -> {
        position--;
        throw problem("there is no escape \\" + c);
      }
    };
  }

  private char character() throws JsonException {
    if (position == text.length()) {
      throw problem("a string does not end");
    }
    return text.charAt(position++);
  }

  private Json number() throws JsonException {
    int start = position;
    next('-');
    if (!next('0')) {
      digits();
    }
    if (next('.')) {
      digits();
    }
    if (next('e') || next('E')) {
      if (!next('+')) {
        next('-');
      }
      digits();
    }
    if (position - start > LONGEST_NUMBER) {
      throw problem("a number is too long");
    }
    try {
      return new Json.JsonNumber(new BigDecimal(text.substring(start, position)));
    } catch (NumberFormatException e) {
      throw problem("a number is too large");
    }
  }

  private void digits() throws JsonException {
    int start = position;
    while (position < text.length() && isDigit(text.charAt(position))) {
      position++;
    }
    if (position == start) {
      throw problem(start == text.length() ? "a digit is missing" : "this is no JSON value");
    }
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private Json word(String word, Json value) throws JsonException {
    if (!text.startsWith(word, position)) {
      throw problem("this is no JSON value");
    }
    position += word.length();
    return value;
  }

  private void expect(char c) throws JsonException {
    skipBlanks();
    if (!next(c)) {
      throw problem("'" + c + "' is missing");
    }
  }

  /** Takes {@code c} if it comes next; blanks before punctuation do not matter. */
  private boolean next(char c) {
    if (c == ',' || c == '}' || c == ']') {
      skipBlanks();
    }
    if (position < text.length() && text.charAt(position) == c) {
      position++;
      return true;
    }
    return false;
  }

  private void skipBlanks() {
    while (position < text.length() && " \t\r\n".indexOf(text.charAt(position)) >= 0) {
      position++;
    }
  }

  private JsonException problem(String what) {
    return new JsonException(position, what);
  }
}
