// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The drivers there are. */
public final class BlockDrivers {
  private BlockDrivers() {}

  /** Finds them all, by name; one that comes with another takes no name that is taken. */
  public static Map<String, BlockDriver> load() {
    Map<String, BlockDriver> drivers = new TreeMap<>();
    for (BlockDriver driver : ServiceLoader.load(BlockDriver.class)) {
      drivers.put(driver.name(), driver);
    }
    for (BlockDriver driver : List.copyOf(drivers.values())) {
      driver.more().forEach(other -> drivers.putIfAbsent(other.name(), other));
    }
    return Collections.unmodifiableMap(drivers);
  }
}
