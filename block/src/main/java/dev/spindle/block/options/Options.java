// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.options;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
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
 *
 * <p>Where an {@link OptionList} notes what is asked for, nothing was given, and every answer is
 * one that a reader accepts.
 */
public final class Options {
  /** Of more words than these, only the one that was probably meant is named. */
  private static final int MOST_WORDS_TO_LIST = 10;

  private final String owner;
  private final Map<String, String> values;
  private final Set<String> notText;

  /** Whether {@link #notText} tells numbers and truth values from text. */
  private final boolean typed;

  private final Set<String> known = new HashSet<>();

  /** Null unless it is only noted what is asked for; then {@code prefix} goes before the keys. */
  private final OptionList list;

  private final String prefix;

  /** What it is nested in, or null. */
  private Options outer;

  private String nameInOuter;

  private final Map<String, String> givenWithHelp = new LinkedHashMap<>();

  /**
   * Wraps what the user gave.
   *
   * @param owner how errors name the object: {@code --blockdev disk0}
   */
  public Options(String owner, Map<String, String> values) {
    this(owner, new LinkedHashMap<>(values), Set.of(), false, null, "");
  }

  /**
   * Wraps what the user gave in a language that tells text from other values.
   *
   * @param owner how errors name the object: {@code --blockdev disk0}
   * @param notText the keys of numbers and truth values, which are refused where text is wanted;
   *     text is where a truth value is
   */
  public Options(String owner, Map<String, String> values, Set<String> notText) {
    this(owner, new LinkedHashMap<>(values), notText, true, null, "");
  }

  private Options(
      String owner,
      Map<String, String> values,
      Set<String> notText,
      boolean typed,
      OptionList list,
      String prefix) {
    this.owner = owner;
    this.values = values;
    this.notText = notText;
    this.typed = typed;
    this.list = list;
    this.prefix = prefix;
  }

  /** What is given beside a wish for help may be looked at, but counts as not given. */
  static Options noting(OptionList list, Map<String, String> given) {
    Options options = new Options("help", new LinkedHashMap<>(), Set.of(), false, list, "");
    options.givenWithHelp.putAll(given);
    return options;
  }

  /** Where only noted: what the user gave beside his wish for help; empty otherwise. */
  public Optional<String> givenWithHelp(String key) {
    return Optional.ofNullable(givenWithHelp.get(key));
  }

  /** How errors name the object. */
  public String owner() {
    return owner;
  }

  /** Whether it is only noted what is asked for, so that nothing is missing. */
  public boolean isNoting() {
    return list != null;
  }

  private void note(String key, String kind, String otherwise, boolean required) {
    know(key);
    if (list != null) {
      list.note(prefix + key, kind, otherwise, required);
    }
  }

  private void know(String key) {
    known.add(key);
    if (outer != null) {
      outer.know(nameInOuter + "." + key);
    }
  }

  /** The value of an option that must be there. */
  public String require(String key) throws OptionException {
    note(key, "TEXT", "", true);
    if (list != null) {
      return "";
    }
    Optional<String> value = takeText(key);
    if (value.isEmpty()) {
      throw missing(key);
    }
    return value.get();
  }

  /**
   * What to throw where {@code key} is not given: if something was given that looks like a slip of
   * the finger for it, the sentence is about that.
   */
  public OptionException missing(String key) {
    for (String given : values.keySet()) {
      String name = given.replaceFirst("\\..*", "");
      String hint = NearNames.hint(name, Set.of(key));
      // Numbers are all alike.
      if (!known.contains(name) && !hint.isEmpty() && !Character.isDigit(key.charAt(0))) {
        return unknown(name, hint);
      }
    }
    return new OptionException(owner + ": parameter '" + key + "' is missing");
  }

  private OptionException unknown(String key, String hint) {
    return new OptionException(owner + ": unknown parameter '" + key + "'" + hint);
  }

  /** The value as given. */
  public Optional<String> string(String key) throws OptionException {
    note(key, "TEXT", "", false);
    return takeText(key);
  }

  /** The name of a node, as given. */
  public Optional<String> nodeName(String key) throws OptionException {
    note(key, OptionList.NODE, "", true);
    return takeText(key);
  }

  /** As {@link #nodeName}, of one that need not be given. */
  public Optional<String> optionalNodeName(String key) throws OptionException {
    note(key, OptionList.NODE, "", false);
    return takeText(key);
  }

  /** The value as given, be it text or not. */
  public Optional<String> any(String key) {
    note(key, "…", "", false);
    return take(key);
  }

  private Optional<String> takeText(String key) throws OptionException {
    if (notText.contains(key)) {
      throw expected(key, values.get(key), "a string");
    }
    return take(key);
  }

  private Optional<String> take(String key) {
    return Optional.ofNullable(values.remove(key));
  }

  /**
   * Has an object described in these options, if there is one, start out from a value given here.
   *
   * @param name of the object
   * @param key of the value, here and there
   */
  public void inherit(String name, String key) {
    boolean described = values.keySet().stream().anyMatch(given -> given.startsWith(name + "."));
    if (described && values.containsKey(key)) {
      values.putIfAbsent(name + "." + key, values.get(key));
    }
  }

  /** The value as given, which stays to be taken. */
  public Optional<String> peek(String key) {
    return Optional.ofNullable(values.get(key));
  }

  /** All that is left, which stays to be taken. */
  public Map<String, String> peekAll() {
    return Collections.unmodifiableMap(values);
  }

  /** What was given under a name, and under dotted names below it; all of it stays to be taken. */
  public Map<String, String> peekAll(String name) {
    Map<String, String> found = new LinkedHashMap<>();
    values.forEach(
        (key, value) -> {
          if (key.equals(name) || key.startsWith(name + ".")) {
            found.put(key, value);
          }
        });
    return found;
  }

  /** {@code on} or {@code off} (also {@code true}, {@code false}, {@code yes}, {@code no}). */
  public boolean bool(String key, boolean otherwise) throws OptionException {
    note(key, "on|off", otherwise ? "on" : "off", false);
    if (typed && values.containsKey(key) && !notText.contains(key)) {
      throw expected(key, values.get(key), "a boolean");
    }
    Optional<String> value = take(key);
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
    note(key, "N", otherwise < least ? "" : Long.toString(otherwise), false);
    Optional<String> value = take(key);
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

  /**
   * A size in bytes with QEMU's suffixes (k, M, G, T: powers of 1024), not negative.
   *
   * @param otherwise what holds if it is not given; negative to be told so
   */
  public long size(String key, long otherwise) throws OptionException {
    note(key, "SIZE", otherwise < 0 ? "" : Size.format(otherwise), false);
    Optional<String> value = take(key);
    if (value.isEmpty()) {
      return otherwise;
    }
    OptionalLong bytes = Size.parse(value.get());
    if (bytes.isEmpty()) {
      throw expected(key, value.get(), "a size such as 4096, 64k or 1.5G");
    }
    return bytes.getAsLong();
  }

  /**
   * One of a few words.
   *
   * @param otherwise the word if none is given; empty if one must be
   */
  public String choice(String key, String otherwise, String... words) throws OptionException {
    note(key, String.join("|", words), otherwise, false);
    Optional<String> given = takeText(key);
    if (given.isEmpty() && otherwise.isEmpty() && list == null) {
      throw missing(key);
    }
    String value = given.orElse(otherwise.isEmpty() ? words[0] : otherwise);
    if (!Arrays.asList(words).contains(value)) {
      String hint = NearNames.hint(value, Arrays.asList(words));
      if (words.length > MOST_WORDS_TO_LIST && !hint.isEmpty()) {
        throw new OptionException(owner + ": parameter '" + key + "' is '" + value + "'" + hint);
      }
      throw expected(key, value, "one of " + String.join(", ", words));
    }
    return value;
  }

  /** All options below a dotted prefix, as the options of an object of their own. */
  public Options nested(String name) {
    Map<String, String> inner = new LinkedHashMap<>();
    Set<String> innerNotText = new HashSet<>();
    for (String key : List.copyOf(values.keySet())) {
      if (key.startsWith(name + ".")) {
        String innerKey = key.substring(name.length() + 1);
        inner.put(innerKey, values.remove(key));
        if (notText.contains(key)) {
          innerNotText.add(innerKey);
        }
      }
    }
    known.add(name + ".…");
    if (list != null) {
      list.noteNested(prefix + name);
    }
    Options nested =
        new Options(owner + ": " + name, inner, innerNotText, typed, list, prefix + name + ".");
    nested.outer = this;
    nested.nameInOuter = name;
    return nested;
  }

  /**
   * The objects {@code name.0.…}, {@code name.1.…} and so on.
   *
   * @throws OptionException if there is more below {@code name}
   */
  public List<Options> elements(String name) throws OptionException {
    Options members = nested(name);
    if (list != null) {
      return List.of(members.nestedElement());
    }
    List<Options> elements = new ArrayList<>();
    while (true) {
      Options element = members.nested(Integer.toString(elements.size()));
      if (element.isEmpty()) {
        members.finishElements(elements.size());
        return elements;
      }
      elements.add(element);
    }
  }

  private void finishElements(int count) throws OptionException {
    for (String key : values.keySet()) {
      String number = key.replaceFirst("\\..*", "");
      if (number.matches("\\d+")) {
        throw new OptionException(
            "%s.%s is given, but not %d: they are numbered from 0 on"
                .formatted(owner, number, count));
      }
    }
    finish();
  }

  private Options nestedElement() {
    return new Options(owner, values, notText, typed, list, prefix + "N.");
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
      throw unknown(key, NearNames.hint(key, known));
    }
  }

  private OptionException expected(String key, String value, String what) {
    return new OptionException(
        owner + ": parameter '" + key + "' is '" + value + "', expected " + what);
  }
}
