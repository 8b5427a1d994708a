// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Makes a command's arguments out of JSON, strictly: QAPI's input visitor. Members are of type
 * {@link String}, {@code long}, {@code int}, {@code boolean}, {@code double}, an enumeration, a
 * record, a {@link List} of these, {@link ObjectNode} for an object that is looked at later, or
 * {@link JsonNode} for anything.
 */
public final class ArgumentReader {
  private ArgumentReader() {}

  /**
   * Reads an object.
   *
   * @throws QmpException if a member is missing, unexpected or of a wrong type
   */
  static <R extends Record> R read(ObjectNode from, Class<R> record) throws QmpException {
    return OptionArguments.class.isAssignableFrom(record)
        ? wrap(from, record)
        : read(from, record, "");
  }

  /** Leaves the reading to whoever is meant: {@link OptionArguments}. */
  static <R extends Record> R wrap(ObjectNode from, Class<R> record) {
    return make(record, new Object[] {from});
  }

  /**
   * Reads an object within another one.
   *
   * @param prefix goes before the names of its members in errors
   * @throws QmpException if a member is missing, unexpected or of a wrong type
   */
  public static <R> R read(ObjectNode from, Class<R> record, String prefix) throws QmpException {
    List<Members.Member> members = Members.of(record);
    Set<String> known = new HashSet<>();
    Object[] values = new Object[members.size()];
    for (int i = 0; i < values.length; i++) {
      Members.Member member = members.get(i);
      known.add(member.name());
      JsonNode given = from.get(member.name());
      if (given == null) {
        if (!member.optional()) {
          throw new QmpException("Parameter '" + prefix + member.name() + "' is missing");
        }
        values[i] = Optional.empty();
      } else {
        Object value = value(given, member.type(), prefix + member.name());
        values[i] = member.optional() ? Optional.of(value) : value;
      }
    }
    for (String name : from.propertyNames()) {
      if (!known.contains(name)) {
        throw new QmpException("Parameter '" + prefix + name + "' is unexpected");
      }
    }
    return make(record, values);
  }

  private static <R> R make(Class<R> record, Object[] values) {
    Class<?>[] types =
        Arrays.stream(record.getRecordComponents())
            .map(component -> component.getType())
            .toArray(Class<?>[]::new);
    try {
      Constructor<R> constructor = record.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (NoSuchMethodException | InstantiationException | IllegalAccessException e) {
      throw new IllegalStateException(e);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  private static Object value(JsonNode given, Type type, String name) throws QmpException {
    if (type instanceof ParameterizedType list) {
      return list(given, Members.inner(list), name);
    }
    Class<?> wanted = (Class<?>) type;
    if (wanted == String.class) {
      require(given.isString(), name, "string");
      return given.asString();
    }
    if (wanted == boolean.class || wanted == Boolean.class) {
      require(given.isBoolean(), name, "boolean");
      return given.booleanValue();
    }
    if (wanted == long.class || wanted == Long.class) {
      require(given.isIntegralNumber() && given.canConvertToLong(), name, "integer");
      return given.longValue();
    }
    if (wanted == int.class || wanted == Integer.class) {
      require(given.isIntegralNumber() && given.canConvertToInt(), name, "integer");
      return given.intValue();
    }
    if (wanted == double.class || wanted == Double.class) {
      require(given.isNumber(), name, "number");
      return given.doubleValue();
    }
    if (wanted.isEnum()) {
      require(given.isString(), name, "string");
      return word(given.asString(), wanted, name);
    }
    if (wanted == StrOrNull.class) {
      require(given.isString() || given.isNull(), name, "string or null");
      return new StrOrNull(given.isNull() ? Optional.empty() : Optional.of(given.asString()));
    }
    if (wanted == JsonNode.class) {
      return given;
    }
    require(given.isObject(), name, "object");
    return wanted == ObjectNode.class ? given : read((ObjectNode) given, wanted, name + ".");
  }

  private static List<Object> list(JsonNode given, Type element, String name) throws QmpException {
    require(given.isArray(), name, "array");
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < given.size(); i++) {
      values.add(value(given.get(i), element, name + "[" + i + "]"));
    }
    return List.copyOf(values);
  }

  private static Object word(String given, Class<?> wanted, String name) throws QmpException {
    for (Object constant : wanted.getEnumConstants()) {
      if (Members.word((Enum<?>) constant).equals(given)) {
        return constant;
      }
    }
    throw new QmpException("Parameter '" + name + "' does not accept value '" + given + "'");
  }

  private static void require(boolean right, String name, String expected) throws QmpException {
    if (!right) {
      throw new QmpException("Invalid parameter type for '" + name + "', expected: " + expected);
    }
  }
}
