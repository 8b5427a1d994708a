// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.object;

import dev.spindle.block.options.FileTrouble;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Optional;

/**
 * A password or a key ({@code --object secret}). Its text shows nothing of it.
 *
 * @param data never changed
 */
@SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
public record Secret(String id, byte[] data) implements UserObject {
  private static final int MOST_BYTES = 1 << 20;

  /**
   * Reads what a user says of it, and the file that holds it.
   *
   * @throws OptionException if an option is missing or has no such value, or the file cannot be
   *     read
   */
  public static Secret read(Options options) throws OptionException {
    String id = options.require("id");
    Optional<String> inline = options.string("data");
    Optional<String> file = options.string("file");
    boolean base64 = options.choice("format", "raw", "raw", "base64").equals("base64");
    if (options.isNoting()) {
      return new Secret(id, new byte[0]);
    }
    if (inline.isPresent() == file.isPresent()) {
      throw new OptionException(
          options.owner() + ": one of 'data' and 'file' must be given, and not both");
    }
    byte[] given =
        inline.isPresent()
            ? inline.get().getBytes(StandardCharsets.UTF_8)
            : contents(options.owner(), Path.of(file.get()));
    return new Secret(id, base64 ? decoded(options.owner(), given) : given);
  }

  private static byte[] contents(String owner, Path file) throws OptionException {
    byte[] bytes;
    try (var input = Files.newInputStream(file)) {
      bytes = input.readNBytes(MOST_BYTES + 1);
    } catch (IOException e) {
      throw new OptionException(
          "%s: '%s' cannot be read: %s".formatted(owner, file, FileTrouble.reason(e)));
    }
    if (bytes.length > MOST_BYTES) {
      throw new OptionException(owner + ": '" + file + "' is larger than 1 MiB");
    }
    return bytes;
  }

  private static byte[] decoded(String owner, byte[] text) throws OptionException {
    try {
      return Base64.getDecoder().decode(stripped(text));
    } catch (IllegalArgumentException e) {
      throw new OptionException(owner + ": the secret is no base64 text");
    }
  }

  /** Without the lines that base64(1) makes. */
  private static byte[] stripped(byte[] text) {
    return new String(text, StandardCharsets.ISO_8859_1)
        .replaceAll("[ \\t\\r\\n]", "")
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  @Override
  public String type() {
    return "secret";
  }

  @Override
  public String toString() {
    return "secret '" + id + "'";
  }
}
