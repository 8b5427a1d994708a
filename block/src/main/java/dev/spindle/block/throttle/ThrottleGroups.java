// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.graph.BlockException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The throttle groups by name. Control side, under the control lock. */
public final class ThrottleGroups {
  private final Map<String, ThrottleGroup> groups = new LinkedHashMap<>();

  /**
   * Makes a group.
   *
   * @throws BlockException if the name is taken
   */
  public ThrottleGroup add(String name, ThrottleLimits limits) throws BlockException {
    if (groups.containsKey(name)) {
      throw new BlockException("A group with this name already exists: " + name);
    }
    ThrottleGroup group = new ThrottleGroup(name, limits, System.nanoTime());
    groups.put(name, group);
    return group;
  }

  /**
   * The group of a name.
   *
   * @throws BlockException if there is none
   */
  public ThrottleGroup require(String name) throws BlockException {
    ThrottleGroup group = groups.get(name);
    if (group == null) {
      throw new BlockException("Throttle group '" + name + "' does not exist");
    }
    return group;
  }

  /** The group of a name, or nothing. */
  public Optional<ThrottleGroup> find(String name) {
    return Optional.ofNullable(groups.get(name));
  }

  /**
   * Removes a group.
   *
   * @throws BlockException if there is none, or it has members
   */
  public void remove(String name) throws BlockException {
    if (!require(name).isEmpty()) {
      throw new BlockException("object '" + name + "' is in use, can not be deleted");
    }
    groups.remove(name);
  }

  /** All of them, in the order in which they were added. */
  public List<ThrottleGroup> all() {
    return List.copyOf(groups.values());
  }
}
