// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a node was opened with, for drivers of whose options reopening changes {@code read-only} and
 * perhaps a few more, but not the rest. Control side, where nothing else is said.
 */
public final class OpeningOptions {
  private final List<String> fixedNames;
  private final Map<String, String> fixed;

  /** Changed in a drained section; read by any thread. */
  private volatile boolean readOnly;

  private OpeningOptions(List<String> fixedNames, Map<String, String> fixed, boolean readOnly) {
    this.fixedNames = fixedNames;
    this.fixed = fixed;
    this.readOnly = readOnly;
  }

  /**
   * Takes {@code read-only}, and remembers other options, which stay to be taken.
   *
   * @param fixedNames of the options that cannot change, with all that has dotted names below them
   * @throws OptionException if {@code read-only} is neither on nor off
   */
  public static OpeningOptions of(Options options, String... fixedNames) throws OptionException {
    List<String> names = List.of(fixedNames);
    return new OpeningOptions(names, given(names, options), options.bool("read-only", false));
  }

  private static Map<String, String> given(List<String> names, Options options) {
    Map<String, String> given = new LinkedHashMap<>();
    names.forEach(name -> given.putAll(options.peekAll(name)));
    return given;
  }

  /** Whether the user wants writes refused, be its children writable or not. Any thread. */
  public boolean readOnly() {
    return readOnly;
  }

  /**
   * Prepares for the node to be reopened: takes {@code read-only}, and every option that must be as
   * it was. A child may be left out, or named as what it is.
   *
   * @throws BlockException if something is to change that cannot; nothing has changed then
   */
  public Transaction.Action prepareReopen(BlockNode node, Options options)
      throws BlockException, OptionException {
    boolean before = readOnly;
    boolean wanted = options.bool("read-only", false);
    Map<String, String> same = new LinkedHashMap<>(fixed);
    for (BlockEdge edge : node.children()) {
      checkChild(edge, options);
      same.keySet().removeIf(key -> (key + ".").startsWith(edge.name() + "."));
    }
    checkSame(same, options);
    readOnly = wanted;
    return new Transaction.Action() {
      @Override
      public void abort() {
        readOnly = before;
      }
    };
  }

  private static void checkChild(BlockEdge edge, Options options)
      throws BlockException, OptionException {
    String child = edge.node().name();
    if (!options.nodeName(edge.name()).orElse(child).equals(child)) {
      throw new BlockException("Cannot change the option '" + edge.name() + "'");
    }
  }

  private void checkSame(Map<String, String> same, Options options) throws BlockException {
    Map<String, String> now = given(fixedNames, options);
    Set<String> keys = new LinkedHashSet<>(now.keySet());
    keys.addAll(same.keySet());
    for (String key : keys) {
      if (!now.containsKey(key)) {
        throw new BlockException("The option '" + key + "' cannot be reset to its default value");
      }
      if (!now.get(key).equals(same.get(key))) {
        throw new BlockException("Cannot change the option '" + key + "'");
      }
      options.any(key);
    }
  }
}
