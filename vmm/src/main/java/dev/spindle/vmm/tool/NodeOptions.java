// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.options.OptionList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Gives nodes that a user describes what follows from how a tool opens its image. */
final class NodeOptions {
  private final Map<String, BlockDriver> drivers;
  private final ImageWish wish;

  NodeOptions(Map<String, BlockDriver> drivers, ImageWish wish) {
    this.drivers = drivers;
    this.wish = wish;
  }

  /**
   * Adds to a node's options, and to those of all nodes described in them, what their drivers know
   * and the user does not say.
   */
  Map<String, String> complete(Map<String, String> given) throws BlockException {
    Map<String, String> options = new LinkedHashMap<>(given);
    for (Map.Entry<String, String> entry : given.entrySet()) {
      String key = entry.getKey();
      if (key.equals("driver") || key.endsWith(".driver")) {
        add(options, key.substring(0, key.length() - "driver".length()), entry.getValue());
      }
    }
    return options;
  }

  private void add(Map<String, String> options, String prefix, String driverName)
      throws BlockException {
    BlockDriver driver = drivers.get(driverName);
    if (driver == null) {
      throw new BlockException("Unknown driver '" + driverName + "'");
    }
    Set<String> known =
        OptionList.of(driver::read).stream().map(OptionList.Entry::key).collect(Collectors.toSet());
    defaults()
        .forEach(
            (key, value) -> {
              if (known.contains(key) && !isGiven(options, prefix + key)) {
                options.putIfAbsent(prefix + key, value);
              }
            });
  }

  /** Whether the user names or describes it. */
  private static boolean isGiven(Map<String, String> options, String key) {
    return options.keySet().stream().anyMatch(given -> given.startsWith(key + "."));
  }

  private Map<String, String> defaults() {
    Map<String, String> defaults = new LinkedHashMap<>();
    defaults.put("read-only", onOff(!wish.writable()));
    defaults.put("cache.direct", onOff(wish.cache().direct()));
    defaults.put("cache.no-flush", onOff(wish.cache().noFlush()));
    if (wish.unmap()) {
      defaults.put("discard", "unmap");
    }
    if (wish.forceShare()) {
      defaults.put("locking", "off");
    }
    if (!wish.withBacking()) {
      defaults.put("backing", "");
    }
    return defaults;
  }

  private static String onOff(boolean on) {
    return on ? "on" : "off";
  }

  /** Whether a driver's nodes hold data themselves rather than have a child hold it. */
  boolean isProtocol(String driverName) {
    BlockDriver driver = drivers.get(driverName);
    return driver != null
        && OptionList.of(driver::read).stream()
            .noneMatch(entry -> List.of("file", "image").contains(entry.key()));
  }
}
