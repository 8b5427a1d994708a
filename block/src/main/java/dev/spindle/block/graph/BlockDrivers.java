// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Collections;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The drivers there are. */
public final class BlockDrivers {
  private BlockDrivers() {}

  /** Finds them all, by name. */
  public static Map<String, BlockDriver> load() {
    Map<String, BlockDriver> drivers = new TreeMap<>();
    for (BlockDriver driver : ServiceLoader.load(BlockDriver.class)) {
      drivers.put(driver.name(), driver);
    }
    return Collections.unmodifiableMap(drivers);
  }
}
