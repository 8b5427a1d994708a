// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Named values that a user gave for one object ({@code driver=file,filename=x}), taken out one by
 * one with their types; what nobody took is unknown, and {@link #finish} says so. Values of nested
 * objects carry dotted names ({@code cache.direct}).
 */
public final class Options {
  private final String owner;
  private final Map<String, String> values;
  private final Set<String> known = new HashSet<>();

  /**
   * Wraps what the user gave.
   *
   * @param owner how errors name the object: {@code --blockdev disk0}
   */
  public Options(String owner, Map<String, String> values) {
    this.owner = owner;
    this.values = new LinkedHashMap<>(values);
  }

  /** How errors name the object. */
  public String owner() {
    return owner;
  }

  /** The value of an option that must be there. */
  public String require(String key) throws OptionException {
    Optional<String> value = string(key);
    if (value.isEmpty()) {
      throw new OptionException(owner + ": parameter '" + key + "' is missing");
    }
    return value.get();
  }

  /** The value as given. */
  public Optional<String> string(String key) {
    known.add(key);
    return Optional.ofNullable(values.remove(key));
  }

  /** The value as given, which stays to be taken. */
  public Optional<String> peek(String key) {
    return Optional.ofNullable(values.get(key));
  }

  /** {@code on} or {@code off} (also {@code true}, {@code false}, {@code yes}, {@code no}). */
  public boolean bool(String key, boolean otherwise) throws OptionException {
    Optional<String> value = string(key);
    if (value.isEmpty()) {
      return otherwise;
    }
    return switch (value.get()) {
      case "on", "true", "yes" -> true;
      case "off", "false", "no" -> false;
      default -> throw expected(key, value.get(), "'on' or 'off'");
    };
  }

  /** A whole number within bounds, both included. */
  public long number(String key, long otherwise, long least, long most) throws OptionException {
    Optional<String> value = string(key);
    if (value.isEmpty()) {
      return otherwise;
    }
    try {
      long number = Long.decode(value.get());
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The sentence below says it.
    }
    throw expected(key, value.get(), "a number from " + least + " to " + most);
  }

  /** A size in bytes with QEMU's suffixes (k, M, G, T: powers of 1024), not negative. */
  public long size(String key, long otherwise) throws OptionException {
    Optional<String> value = string(key);
    if (value.isEmpty()) {
      return otherwise;
    }
    OptionalLong bytes = Size.parse(value.get());
    if (bytes.isEmpty()) {
      throw expected(key, value.get(), "a size such as 4096, 64k or 1.5G");
    }
    return bytes.getAsLong();
  }

  /** One of a few words. */
  public String choice(String key, String otherwise, String... words) throws OptionException {
    String value = string(key).orElse(otherwise);
    if (!Arrays.asList(words).contains(value)) {
      throw expected(key, value, "one of " + String.join(", ", words));
    }
    return value;
  }

  /** All options below a dotted prefix, as the options of an object of their own. */
  public Options nested(String prefix) {
    Map<String, String> inner = new LinkedHashMap<>();
    for (String key : List.copyOf(values.keySet())) {
      if (key.startsWith(prefix + ".")) {
        inner.put(key.substring(prefix.length() + 1), values.remove(key));
      }
    }
    known.add(prefix + ".…");
    return new Options(owner + ": " + prefix, inner);
  }

  /** Whether nothing is left. */
  public boolean isEmpty() {
    return values.isEmpty();
  }

  /**
   * Ends the taking.
   *
   * @throws OptionException if something is left that nobody asked for
   */
  public void finish() throws OptionException {
    if (!values.isEmpty()) {
      String key = values.keySet().iterator().next();
      throw new OptionException(
          owner + ": unknown parameter '" + key + "'" + NearNames.hint(key, known));
    }
  }

  private OptionException expected(String key, String value, String what) {
    return new OptionException(
        owner + ": parameter '" + key + "' is '" + value + "', expected " + what);
  }
}
