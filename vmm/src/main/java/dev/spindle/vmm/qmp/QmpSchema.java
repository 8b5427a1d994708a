// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import dev.spindle.block.options.OptionList;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code query-qmp-schema} tells (QAPI's introspect.json, SchemaInfo), made from the
 * declarations. Types that are no built-in ones go by numbers, as in QEMU: their names are nobody's
 * business.
 */
final class QmpSchema {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Map<Object, String> names = new LinkedHashMap<>();
  private final List<ObjectNode> types = new ArrayList<>();

  private QmpSchema() {}

  /** The whole schema: commands, events, then the types that they use. */
  static List<ObjectNode> of(CommandTable table) {
    QmpSchema schema = new QmpSchema();
    List<ObjectNode> entries = new ArrayList<>();
    entries.add(schema.negotiation());
    table.commands().forEach(command -> entries.add(schema.command(command)));
    table.events().forEach(event -> entries.add(schema.event(event)));
    entries.addAll(schema.types);
    return entries;
  }

  private ObjectNode negotiation() {
    return command(QmpMonitor.NEGOTIATION, type(Capabilities.class), empty(), false);
  }

  private ObjectNode command(QmpCommand<?, ?, ?> command) {
    String returned =
        command
            .returns()
            .element()
            .map(element -> command.returns().isList() ? array(element) : type(element))
            .orElseGet(this::empty);
    return command(
        command.name(),
        type(command.arguments()),
        returned,
        command.place() == QmpCommand.Place.ANYWHERE);
  }

  private static ObjectNode command(
      String name, String arguments, String returned, boolean outOfBand) {
    ObjectNode entry = entry(name, "command");
    entry.put("arg-type", arguments);
    entry.put("ret-type", returned);
    entry.put("allow-oob", outOfBand);
    return entry;
  }

  private ObjectNode event(QmpEvent<?> event) {
    ObjectNode entry = entry(event.name(), "event");
    entry.put("arg-type", type(event.data()));
    return entry;
  }

  private static ObjectNode entry(String name, String metaType) {
    ObjectNode entry = NODES.objectNode();
    entry.put("name", name);
    entry.put("meta-type", metaType);
    return entry;
  }

  private String empty() {
    return type(QmpCommand.None.class);
  }

  /** The name of a type, which is described when it is met for the first time. */
  private String type(Type type) {
    if (type instanceof ParameterizedType list) {
      return array(Members.inner(list));
    }
    Class<?> wanted = (Class<?>) type;
    if (wanted == String.class) {
      return builtin("str", "string");
    }
    if (wanted == boolean.class || wanted == Boolean.class) {
      return builtin("bool", "boolean");
    }
    if (wanted == double.class || wanted == Double.class) {
      return builtin("number", "number");
    }
    if (wanted == long.class
        || wanted == Long.class
        || wanted == int.class
        || wanted == Integer.class) {
      return builtin("int", "int");
    }
    if (wanted == ObjectNode.class || wanted == JsonNode.class) {
      return builtin("any", "value");
    }
    String known = names.get(wanted);
    return known != null ? known : describe(wanted);
  }

  private String builtin(String name, String jsonType) {
    if (names.putIfAbsent(name, name) == null) {
      ObjectNode entry = entry(name, "builtin");
      entry.put("json-type", jsonType);
      types.add(entry);
    }
    return name;
  }

  private String array(Type element) {
    String name = "[" + type(element) + "]";
    if (names.putIfAbsent(name, name) == null) {
      ObjectNode entry = entry(name, "array");
      entry.put("element-type", type(element));
      types.add(entry);
    }
    return name;
  }

  private ObjectNode begin(Object key, String metaType) {
    ObjectNode entry = entry(Integer.toString(types.size()), metaType);
    names.put(key, entry.get("name").asString());
    types.add(entry);
    return entry;
  }

  private String describe(Class<?> wanted) {
    if (wanted == StrOrNull.class) {
      ArrayNode members = begin(wanted, "alternate").putArray("members");
      members.addObject().put("type", builtin("str", "string"));
      members.addObject().put("type", builtin("null", "null"));
    } else if (wanted.isEnum()) {
      describeWords(
          begin(wanted, "enum"),
          List.of(wanted.getEnumConstants()).stream()
              .map(constant -> Members.word((Enum<?>) constant))
              .toList());
    } else {
      ObjectNode entry = begin(wanted, "object");
      if (OptionArguments.class.isAssignableFrom(wanted)) {
        describeOptions(entry, wanted);
      } else {
        ArrayNode members = entry.putArray("members");
        for (Members.Member member : Members.of(wanted)) {
          describeMember(members, member.name(), type(member.type()), member.optional());
        }
      }
    }
    return names.get(wanted);
  }

  private static void describeMember(
      ArrayNode members, String name, String type, boolean optional) {
    ObjectNode described = members.addObject();
    described.put("name", name);
    described.put("type", type);
    if (optional) {
      described.putNull("default");
    }
  }

  private static void describeWords(ObjectNode entry, List<String> words) {
    ArrayNode members = entry.putArray("members");
    ArrayNode values = entry.putArray("values");
    for (String word : words) {
      members.addObject().put("name", word);
      values.add(word);
    }
  }

  /** A union: the tag, and for each value of it what its reader asks for. */
  private void describeOptions(ObjectNode entry, Class<?> wanted) {
    OptionArguments arguments =
        (OptionArguments) ArgumentReader.wrap(NODES.objectNode(), wanted.asSubclass(Record.class));
    Map<String, OptionList.Reader> readers = arguments.sortedReaders();
    ObjectNode tag = begin(wanted.getName() + " tag", "enum");
    describeWords(tag, List.copyOf(readers.keySet()));
    describeMember(entry.putArray("members"), arguments.tag(), tag.get("name").asString(), false);
    entry.put("tag", arguments.tag());
    ArrayNode variants = entry.putArray("variants");
    readers.forEach(
        (word, reader) -> {
          ObjectNode variant = variants.addObject();
          variant.put("case", word);
          variant.put("type", options(wanted.getName() + " " + word, OptionList.of(reader)));
        });
  }

  /** Options with dotted names are members of objects, or of elements of an array. */
  private String options(String key, List<OptionList.Entry> options) {
    ObjectNode entry = begin(key, "object");
    ArrayNode members = entry.putArray("members");
    Map<String, List<OptionList.Entry>> nested = new LinkedHashMap<>();
    for (OptionList.Entry option : options) {
      int dot = option.key().indexOf('.');
      if (dot < 0) {
        describeMember(members, option.key(), optionType(key, option), !option.required());
      } else {
        nested
            .computeIfAbsent(option.key().substring(0, dot), _ -> new ArrayList<>())
            .add(
                new OptionList.Entry(
                    option.key().substring(dot + 1),
                    option.values(),
                    option.otherwise(),
                    option.required()));
      }
    }
    nested.forEach(
        (name, inner) -> {
          boolean required = inner.stream().anyMatch(OptionList.Entry::required);
          describeMember(members, name, nestedType(key + "." + name, inner), !required);
        });
    return entry.get("name").asString();
  }

  private String nestedType(String key, List<OptionList.Entry> inner) {
    boolean open = inner.stream().anyMatch(entry -> entry.key().startsWith("…"));
    if (open) {
      return builtin("any", "value");
    }
    if (inner.stream().allMatch(entry -> entry.key().equals("N"))) {
      return array(String.class);
    }
    if (inner.stream().allMatch(entry -> entry.key().startsWith("N."))) {
      String element =
          options(
              key,
              inner.stream()
                  .map(
                      entry ->
                          new OptionList.Entry(
                              entry.key().substring(2),
                              entry.values(),
                              entry.otherwise(),
                              entry.required()))
                  .toList());
      String name = "[" + element + "]";
      ObjectNode entry = entry(name, "array");
      entry.put("element-type", element);
      types.add(entry);
      return name;
    }
    return options(key, inner);
  }

  private String optionType(String key, OptionList.Entry option) {
    return switch (option.values()) {
      case "on|off" -> builtin("bool", "boolean");
      case "N", "SIZE" -> builtin("int", "int");
      case String words when words.contains("|") -> {
        ObjectNode entry = begin(key + "." + option.key(), "enum");
        describeWords(entry, List.of(words.split("\\|")));
        yield entry.get("name").asString();
      }
      default -> builtin("str", "string");
    };
  }
}
