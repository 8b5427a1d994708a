// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.object;

import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.NearNames;
import java.util.LinkedHashMap;
import java.util.Map;

/** The user's objects by id. Control side, under the control lock. */
public final class UserObjects {
  private final Map<String, UserObject> objects = new LinkedHashMap<>();

  /**
   * Adds an object.
   *
   * @throws BlockException if the id is taken
   */
  public void add(UserObject object) throws BlockException {
    if (objects.putIfAbsent(object.id(), object) != null) {
      throw new BlockException("attempt to add duplicate object '" + object.id() + "'");
    }
  }

  /** Forgets an object; whoever has asked for it keeps what he has. */
  public void remove(String id) {
    objects.remove(id);
  }

  /**
   * The object of an id.
   *
   * @param type as errors call it
   * @throws BlockException if there is none, or it is of another type
   */
  public <T extends UserObject> T require(String id, Class<T> kind, String type)
      throws BlockException {
    UserObject object = objects.get(id);
    if (object == null) {
      throw new BlockException(
          "there is no " + type + " object '" + id + "'" + NearNames.hint(id, objects.keySet()));
    }
    if (!kind.isInstance(object)) {
      throw new BlockException("object '" + id + "' is a " + object.type() + ", not a " + type);
    }
    return kind.cast(object);
  }
}
