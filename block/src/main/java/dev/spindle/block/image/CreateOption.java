// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import java.util.Map;
import java.util.Optional;

/**
 * An option of {@code img create -o}.
 *
 * @param name as tools spell it, such as {@code cluster_size}
 * @param kind what values it takes
 * @param help one line that explains it
 * @param otherwise the value where none is given; tools tell the user of it, and hand it on
 * @param words gives a value its place among QAPI's options
 */
public record CreateOption(
    String name, Kind kind, String help, Optional<String> otherwise, Words words) {
  /** What values an option takes. */
  public enum Kind {
    /** Any text. */
    TEXT,
    /** on or off. */
    BOOL,
    /** A number without a unit. */
    NUMBER,
    /** Bytes, which may be given with a suffix. */
    SIZE
  }

  /** Says how QAPI spells a value that the user gave. */
  @FunctionalInterface
  public interface Words {
    /** QAPI's options for it, by their names; none if this value is what is meant anyway. */
    Map<String, String> of(String value);
  }

  /** An option that QAPI calls the same, with dashes, and that has no value unless one is given. */
  public static CreateOption of(String name, Kind kind, String help) {
    String word = name.replace('_', '-');
    return new CreateOption(name, kind, help, Optional.empty(), value -> Map.of(word, value));
  }

  /** {@code size}, as all formats have it. */
  public static CreateOption size() {
    return of("size", Kind.SIZE, "bytes that the image shows");
  }

  /** The same option, with a value where none is given. */
  public CreateOption otherwise(String value) {
    return new CreateOption(name, kind, help, Optional.of(value), words);
  }

  /** The same option, in other words of QAPI's. */
  public CreateOption words(Words others) {
    return new CreateOption(name, kind, help, otherwise, others);
  }
}
