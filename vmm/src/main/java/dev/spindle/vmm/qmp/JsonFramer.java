// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Finds where one JSON value ends and the next begins in what a client sends, whatever lines it
 * makes of them. After a text that is wrong it finds the next one: at the end of the line, for no
 * string goes over one, or after the byte 0xFF, which clients send to begin anew (QMP
 * specification, "Server Responses"). One thread.
 */
final class JsonFramer {
  /** The deepest nesting, as in QEMU. */
  private static final int MOST_LEVELS = 1024;

  private static final int BUFFER_BYTES = 64 << 10;
  private static final int BEGIN_ANEW = 0xFF;

  /** What a client has sent is no JSON text; the next {@link #next} goes on behind it. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message);
    }
  }

  private final InputStream input;
  private final int mostBytes;
  private final byte[] buffer = new byte[BUFFER_BYTES];
  private int position;
  private int end;

  private final ByteArrayOutputStream text = new ByteArrayOutputStream();
  private int levels;

  /** The quote that ends the string that has begun; 0 outside of strings. */
  private int quote;

  private boolean escaped;

  /**
   * Begins.
   *
   * @param mostBytes how long a text may be; of longer ones no more than that is held in memory
   */
  JsonFramer(InputStream input, int mostBytes) {
    this.input = input;
    this.mostBytes = mostBytes;
  }

  /**
   * Waits for the next text.
   *
   * @return null at the end of the input, or if the rest is no whole text
   * @throws Malformed with what is wrong with it
   */
  String next() throws IOException, Malformed {
    begin();
    int c;
    while ((c = read()) >= 0) {
      if (c == BEGIN_ANEW) {
        throw new Malformed("invalid byte 0xff");
      }
      if (text.size() == 0 && isBlank(c)) {
        continue;
      }
      boolean bareWord = levels == 0 && quote == 0 && text.size() > 0;
      if (bareWord && (isBlank(c) || c == '{' || c == '[')) {
        position--;
        return take();
      }
      text.write(c);
      if (take(c)) {
        return take();
      }
      if (text.size() > mostBytes) {
        skipLine();
        throw new Malformed("the text is longer than " + (mostBytes >> 20) + " MiB");
      }
    }
    return text.size() > 0 && levels == 0 && quote == 0 ? take() : null;
  }

  private void begin() {
    text.reset();
    levels = 0;
    quote = 0;
    escaped = false;
  }

  /** Follows one byte; returns whether the value ends with it. */
  private boolean take(int c) throws IOException, Malformed {
    if (quote != 0) {
      if (c < ' ') {
        // The end of a line, mostly: there is where the next text begins.
        throw new Malformed("a control character in a string");
      }
      if (escaped) {
        escaped = false;
      } else if (c == '\\') {
        escaped = true;
      } else if (c == quote) {
        quote = 0;
        return levels == 0;
      }
      return false;
    }
    switch (c) {
      case '"', '\'' -> quote = c;
      case '{', '[' -> {
        if (++levels > MOST_LEVELS) {
          skipLine();
          throw new Malformed("more than " + MOST_LEVELS + " levels");
        }
      }
      case '}', ']' -> {
        return --levels <= 0;
      }
      default -> {}
    }
    return false;
  }

  private String take() throws Malformed {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(text.toByteArray()))
          .toString();
    } catch (CharacterCodingException e) {
      throw new Malformed("a string is not UTF-8");
    } finally {
      text.reset();
    }
  }

  private void skipLine() throws IOException {
    int c;
    do {
      c = read();
    } while (c >= 0 && c != '\n' && c != BEGIN_ANEW);
  }

  private static boolean isBlank(int c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
  }

  private int read() throws IOException {
    if (position == end) {
      position = 0;
      end = Math.max(0, input.read(buffer, 0, buffer.length));
      if (end == 0) {
        return -1;
      }
    }
    return buffer[position++] & 0xFF;
  }
}
