// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.plugin.DiskDriver;
import dev.spindle.block.plugin.DiskFilter;
import dev.spindle.block.plugin.DiskPlugin;
import java.lang.reflect.Method;

/**
 * What a plugin does by itself of that which has a default, told by what it overrides.
 *
 * @param durableWrites whether it has a way of its own to write durably
 * @param extents whether it says what it holds
 */
record Capabilities(boolean durableWrites, boolean extents) {
  static Capabilities of(DiskPlugin plugin) {
    return new Capabilities(overrides(plugin, "writeDurably"), overrides(plugin, "extent"));
  }

  private static boolean overrides(DiskPlugin plugin, String name) {
    Class<?> type =
        switch (plugin) {
          case DiskDriver _ -> DiskDriver.class;
          case DiskFilter _ -> DiskFilter.class;
        };
    for (Method method : type.getDeclaredMethods()) {
      if (method.getName().equals(name)) {
        try {
          return plugin.getClass().getMethod(name, method.getParameterTypes()).getDeclaringClass()
              != type;
        } catch (NoSuchMethodException e) {
          throw new IllegalStateException("every plugin has that method", e);
        }
      }
    }
    throw new IllegalArgumentException("no plugin has a method " + name);
  }
}
