// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Makes JSON out of what a command returns and an event tells: QAPI's output visitor. */
final class ReplyWriter {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private ReplyWriter() {}

  /** A record is an object, null an empty one. */
  static JsonNode write(Object value) {
    return switch (value) {
      case null -> NODES.objectNode();
      case JsonNode node -> node;
      case String text -> NODES.stringNode(text);
      case Boolean truth -> NODES.booleanNode(truth);
      case Integer number -> NODES.numberNode(number.longValue());
      case Long number -> NODES.numberNode(number);
      case Double number -> NODES.numberNode(number);
      case Enum<?> word -> NODES.stringNode(Members.word(word));
      case List<?> list -> list(list);
      case Record record -> object(record);
      default -> throw new IllegalArgumentException("no QAPI type: " + value.getClass());
    };
  }

  private static ArrayNode list(List<?> values) {
    ArrayNode array = NODES.arrayNode();
    values.forEach(value -> array.add(write(value)));
    return array;
  }

  private static ObjectNode object(Record record) {
    ObjectNode object = NODES.objectNode();
    for (Members.Member member : Members.of(record.getClass())) {
      Object value = value(record, member.component().getAccessor());
      if (value instanceof Optional<?> optional) {
        optional.ifPresent(present -> object.set(member.name(), write(present)));
      } else {
        object.set(member.name(), write(value));
      }
    }
    return object;
  }

  private static Object value(Record record, Method accessor) {
    try {
      accessor.setAccessible(true);
      return accessor.invoke(record);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(e.getCause());
    }
  }
}
