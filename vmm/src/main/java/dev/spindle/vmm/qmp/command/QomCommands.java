// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp.command;

import static dev.spindle.vmm.qmp.QmpCommand.action;
import static dev.spindle.vmm.qmp.QmpCommand.listOf;
import static dev.spindle.vmm.qmp.QmpCommand.one;

import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import dev.spindle.vmm.json.JsonOptions;
import dev.spindle.vmm.machine.DeviceOption;
import dev.spindle.vmm.machine.DeviceOptions;
import dev.spindle.vmm.machine.ObjectTree;
import dev.spindle.vmm.machine.ObjectTypes;
import dev.spindle.vmm.qmp.QapiName;
import dev.spindle.vmm.qmp.QmpCommand;
import dev.spindle.vmm.qmp.QmpCommand.Place;
import dev.spindle.vmm.qmp.QmpCommand.ReplyType;
import dev.spindle.vmm.qmp.QmpErrorClass;
import dev.spindle.vmm.qmp.QmpException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What users have made, as a tree with properties (QAPI: qom.json, qdev.json). */
public final class QomCommands {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final String OBJECT = "object";
  private static final String DEVICE = "device";

  /** A place in the tree. */
  public record Path(String path) {}

  /** A property of a place. */
  public record PropertyPath(String path, String property) {}

  /** What a property is to be. */
  public record PropertyValue(String path, String property, JsonNode value) {}

  /** Which types are meant. */
  public record TypeFilter(
      @QapiName("implements") Optional<String> parent,
      @QapiName("abstract") Optional<Boolean> withAbstract) {}

  /** A type. */
  public record TypeName(String typename) {}

  /** A type: QAPI's ObjectTypeInfo. */
  public record TypeInfo(
      String name, @QapiName("abstract") Optional<Boolean> isAbstract, Optional<String> parent) {}

  /** A property: QAPI's ObjectPropertyInfo. */
  public record PropertyInfo(
      String name, String type, Optional<String> description, Optional<JsonNode> defaultValue) {}

  private QomCommands() {}

  /** The declarations. */
  public static List<QmpCommand<ObjectTree, ?, ?>> all() {
    return List.of(
        new QmpCommand<>(
            "qom-list",
            "Lists what is at a place, and its properties. Difference: the tree has the objects and"
                + " devices that users have made.",
            Path.class,
            listOf(PropertyInfo.class),
            Place.CONTROL,
            QomCommands::list),
        new QmpCommand<>(
            "qom-get",
            "Tells a property. Difference: nothing is told of secrets.",
            PropertyPath.class,
            one(JsonNode.class),
            Place.CONTROL,
            QomCommands::get),
        action(
            "qom-set",
            PropertyValue.class,
            "Changes a property: of an iothread how it polls, of a throttle group its limits, of a"
                + " disk the node that it shows (drive), while the guest goes on using it.",
            QomCommands::set),
        new QmpCommand<>(
            "qom-list-types",
            "Lists the types of objects and devices.",
            TypeFilter.class,
            listOf(TypeInfo.class),
            Place.CONTROL,
            (tree, filter) -> types(filter)),
        properties("qom-list-properties", "Lists what an object of a type takes."),
        properties("device-list-properties", "Lists what a device of a type takes."));
  }

  private static QmpCommand<ObjectTree, TypeName, List<PropertyInfo>> properties(
      String name, String text) {
    ReplyType<List<PropertyInfo>> returns = listOf(PropertyInfo.class);
    return new QmpCommand<>(
        name,
        text,
        TypeName.class,
        returns,
        Place.CONTROL,
        (tree, given) -> takenBy(given.typename(), name.startsWith(DEVICE)));
  }

  private static ObjectTree.Place find(ObjectTree tree, String path) throws QmpException {
    return tree.find(path).orElseThrow(() -> QmpException.deviceNotFound(path));
  }

  private static List<PropertyInfo> list(ObjectTree tree, Path given) throws QmpException {
    ObjectTree.Place place = find(tree, given.path());
    List<PropertyInfo> infos = new ArrayList<>();
    ObjectTree.properties(place)
        .forEach((name, value) -> infos.add(property(name, typeOf(name, value))));
    if (place instanceof ObjectTree.Container(Map<String, String> children)) {
      children.forEach((name, type) -> infos.add(property(name, "child<" + type + ">")));
    }
    return infos;
  }

  private static PropertyInfo property(String name, String type) {
    return new PropertyInfo(name, type, Optional.empty(), Optional.empty());
  }

  private static String typeOf(String name, Object value) {
    return switch (value) {
      case Boolean _ -> "bool";
      case Long _ -> "int";
      case Map<?, ?> _ -> name.equals("limits") ? "ThrottleLimits" : "struct";
      default -> "string";
    };
  }

  private static JsonNode get(ObjectTree tree, PropertyPath given) throws QmpException {
    ObjectTree.Place place = find(tree, given.path());
    return json(require(place, given.property()));
  }

  private static Object require(ObjectTree.Place place, String property) throws QmpException {
    Object value = ObjectTree.properties(place).get(property);
    if (value == null) {
      throw new QmpException("Property '" + place.type() + "." + property + "' not found");
    }
    return value;
  }

  private static JsonNode json(Object value) {
    return switch (value) {
      case Boolean truth -> NODES.booleanNode(truth);
      case Long number -> NODES.numberNode(number);
      case Map<?, ?> members -> {
        ObjectNode object = NODES.objectNode();
        members.forEach((name, member) -> object.set(name.toString(), json(member)));
        yield object;
      }
      default -> NODES.stringNode(value.toString());
    };
  }

  private static void set(ObjectTree tree, PropertyValue given)
      throws QmpException, OptionException, IOException {
    ObjectTree.Place place = find(tree, given.path());
    String name = given.property();
    Object present = require(place, name);
    boolean typeItself = name.equals("type");
    if (place instanceof ObjectTree.Device(DeviceOption.Disk disk) && name.equals("drive")) {
      if (!given.value().isString()) {
        throw new QmpException("Invalid parameter type for 'drive', expected: string");
      }
      tree.devices().changeDrive(disk.id(), given.value().asString());
      return;
    }
    if (!(place instanceof ObjectTree.UserMade made) || typeItself) {
      throw new QmpException(
          place instanceof ObjectTree.Device(var option) && !typeItself
              ? "Attempt to set property '%s' on device '%s' (type '%s') after it was realized"
                  .formatted(name, option.id(), option.driver())
              : "Property '%s.%s' is not writable".formatted(place.type(), name));
    }
    ObjectNode values = NODES.objectNode();
    if (!(present instanceof Map)) {
      values.set(name.startsWith("x-") ? name.substring(2) : name, given.value());
    } else if (given.value() instanceof ObjectNode members) {
      values = members;
    } else {
      throw new QmpException("Invalid parameter type for '" + name + "', expected: object");
    }
    JsonOptions flat = JsonOptions.of("qom-set", values);
    tree.objects()
        .change(made.option().id(), new Options("qom-set", flat.values(), flat.notText()));
  }

  private static List<TypeInfo> types(TypeFilter filter) {
    List<TypeInfo> infos = new ArrayList<>();
    if (filter.withAbstract().orElse(true)) {
      infos.add(new TypeInfo(DEVICE, Optional.of(true), Optional.of(OBJECT)));
    }
    DeviceOptions.KINDS.keySet().forEach(name -> infos.add(concrete(name, DEVICE)));
    ObjectTypes.readers().keySet().forEach(name -> infos.add(concrete(name, OBJECT)));
    String wanted = filter.parent().orElse(OBJECT);
    infos.removeIf(info -> !descends(info, wanted));
    return infos;
  }

  private static TypeInfo concrete(String name, String parent) {
    return new TypeInfo(name, Optional.empty(), Optional.of(parent));
  }

  private static boolean descends(TypeInfo info, String ancestor) {
    return ancestor.equals(OBJECT)
        || info.name().equals(ancestor)
        || info.parent().equals(Optional.of(ancestor));
  }

  private static List<PropertyInfo> takenBy(String type, boolean devicesOnly) throws QmpException {
    OptionList.Reader reader = DeviceOptions.KINDS.get(type);
    if (reader == null && !devicesOnly) {
      reader = ObjectTypes.readers().get(type);
    }
    if (reader == null) {
      if (devicesOnly && ObjectTypes.readers().containsKey(type)) {
        throw new QmpException("Parameter 'typename' expects a non-abstract device type");
      }
      throw new QmpException(
          QmpErrorClass.DEVICE_NOT_FOUND,
          (devicesOnly ? "Device" : "Class") + " '" + type + "' not found");
    }
    return OptionList.of(reader).stream().map(QomCommands::taken).toList();
  }

  private static PropertyInfo taken(OptionList.Entry entry) {
    String type =
        switch (entry.values()) {
          case "on|off" -> "bool";
          case "N" -> "int";
          case "SIZE" -> "size";
          default -> "str";
        };
    String otherwise = entry.otherwise();
    Optional<JsonNode> defaultValue =
        otherwise.isEmpty()
            ? Optional.empty()
            : Optional.of(
                switch (type) {
                  case "bool" -> NODES.booleanNode(otherwise.equals("on"));
                  case "int", "size" ->
                      otherwise.matches("-?[0-9]+")
                          ? NODES.numberNode(Long.parseLong(otherwise))
                          : NODES.stringNode(otherwise);
                  default -> NODES.stringNode(otherwise);
                });
    Optional<String> description =
        entry.required() ? Optional.of("must be given") : Optional.empty();
    return new PropertyInfo(entry.key(), type, description, defaultValue);
  }
}
