// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.qmp;

import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A command as a client sends it (QMP specification, "Issuing Commands").
 *
 * @param command its name
 * @param outOfBand whether it is to pass those that wait
 * @param id what the reply repeats
 */
record QmpRequest(String command, boolean outOfBand, ObjectNode arguments, Optional<JsonNode> id) {
  /**
   * Reads one.
   *
   * @throws QmpException if it is none
   */
  static QmpRequest read(JsonNode input) throws QmpException {
    if (!(input instanceof ObjectNode object)) {
      throw new QmpException("QMP input must be a JSON object");
    }
    String name = null;
    boolean outOfBand = false;
    ObjectNode arguments = JsonNodeFactory.instance.objectNode();
    for (String member : object.propertyNames()) {
      JsonNode value = object.get(member);
      switch (member) {
        case "execute", "exec-oob" -> {
          if (!value.isString()) {
            throw new QmpException("QMP input member '" + member + "' must be a string");
          }
          if (name != null) {
            throw new QmpException("QMP input members 'execute' and 'exec-oob' exclude each other");
          }
          name = value.asString();
          outOfBand = member.equals("exec-oob");
        }
        case "arguments" -> {
          if (!(value instanceof ObjectNode given)) {
            throw new QmpException("QMP input member 'arguments' must be an object");
          }
          arguments = given;
        }
        case "id" -> {}
        default -> throw new QmpException("QMP input member '" + member + "' is unexpected");
      }
    }
    if (name == null) {
      throw new QmpException("QMP input lacks member 'execute'");
    }
    return new QmpRequest(name, outOfBand, arguments, id(input));
  }

  /** What a reply to an input, be it right or wrong, repeats. */
  static Optional<JsonNode> id(JsonNode input) {
    return input.isObject() ? Optional.ofNullable(input.get("id")) : Optional.empty();
  }
}
