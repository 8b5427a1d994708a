// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.json;

import dev.spindle.block.options.OptionException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Options as one JSON object, flattened: members of nested objects get dotted names, elements of
 * arrays their number. A class of its own so that only who writes JSON waits for the library to be
 * loaded.
 */
public final class JsonOptions {
  /** What may be null. */
  private static final String NO_CHILD = "backing";

  private final String option;
  private final Map<String, String> values = new LinkedHashMap<>();
  private final Set<String> notText = new HashSet<>();

  private JsonOptions(String option) {
    this.option = option;
  }

  /**
   * Reads an argument.
   *
   * @param option how errors name the option
   */
  public static JsonOptions parse(String option, String argument) throws OptionException {
    try {
      return of(option, JsonText.object(argument));
    } catch (JsonException e) {
      throw new OptionException(option + ": not JSON: " + e.getMessage());
    }
  }

  /**
   * Flattens an object that has been read already.
   *
   * @param option how errors name it
   * @throws OptionException if it has null where there must be a value
   */
  public static JsonOptions of(String option, ObjectNode object) throws OptionException {
    JsonOptions options = new JsonOptions(option);
    options.flatten("", object);
    return options;
  }

  /** The values by key, in the order given. */
  public Map<String, String> values() {
    return values;
  }

  /** The keys of those that are no strings. */
  public Set<String> notText() {
    return notText;
  }

  private void flatten(String name, JsonNode value) throws OptionException {
    String prefix = name.isEmpty() ? "" : name + ".";
    switch (value.getNodeType()) {
      case OBJECT -> {
        for (Map.Entry<String, JsonNode> member : value.properties()) {
          flatten(prefix + member.getKey(), member.getValue());
        }
      }
      case ARRAY -> {
        for (int i = 0; i < value.size(); i++) {
          flatten(prefix + i, value.get(i));
        }
      }
      case BOOLEAN -> {
        put(name, value.booleanValue() ? "on" : "off");
        notText.add(name);
      }
      case NULL -> {
        // QAPI's way to want no backing file, which has no other value that is not a node.
        if (!name.equals(NO_CHILD) && !name.endsWith("." + NO_CHILD)) {
          throw new OptionException(option + ": parameter '" + name + "' is null");
        }
        put(name, "");
      }
      case STRING -> put(name, value.asString());
      default -> {
        put(name, value.asString());
        notText.add(name);
      }
    }
  }

  private void put(String name, String value) throws OptionException {
    if (values.put(name, value) != null) {
      throw new OptionException(option + ": parameter '" + name + "' is given twice");
    }
  }
}
