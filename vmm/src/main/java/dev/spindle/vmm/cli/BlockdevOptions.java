// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.cli;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockDrivers;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.OptionList;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The arguments of {@code --blockdev}, checked as far as can be said without opening anything.
 *
 * @param nodes in the order given, which is the order of opening
 * @param names their names; nodes described within them may have names as well
 */
record BlockdevOptions(List<Options> nodes, List<String> names) {
  private static final String OPTION = "--blockdev";

  /**
   * Reads the arguments.
   *
   * @throws OptionException if one has no name or no such driver, or uses a node that a later one
   *     describes
   */
  static BlockdevOptions parse(List<String> arguments) throws OptionException {
    Map<String, BlockDriver> drivers = arguments.isEmpty() ? Map.of() : BlockDrivers.load();
    List<Options> nodes = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (String argument : arguments) {
      Options options = KeyValueOptions.parse(OPTION, argument, null);
      checkDriver(options, drivers);
      if (options.peek("node-name").isEmpty()) {
        throw new OptionException(
            options.owner()
                + ": parameter 'node-name' is missing; without it nothing can use the node");
      }
      nodes.add(options);
      names.add(options.peek("node-name").get());
    }
    for (int i = 0; i < nodes.size(); i++) {
      checkOrder(nodes.get(i), drivers, names.subList(0, i + 1), names);
    }
    return new BlockdevOptions(List.copyOf(nodes), List.copyOf(names));
  }

  private static void checkDriver(Options options, Map<String, BlockDriver> drivers)
      throws OptionException {
    String driver = options.peek("driver").orElse("");
    if (driver.isEmpty()) {
      throw options.missing("driver");
    }
    if (!drivers.containsKey(driver)) {
      throw new OptionException(OptionHelp.unknown(OPTION, "driver", driver, drivers.keySet()));
    }
  }

  /** Refuses a node that uses one that comes later. */
  private static void checkOrder(
      Options options, Map<String, BlockDriver> drivers, List<String> before, List<String> all)
      throws OptionException {
    BlockDriver driver = drivers.get(options.peek("driver").orElseThrow());
    Set<String> children =
        OptionList.of(driver::read).stream()
            .filter(OptionList.Entry::isNode)
            .map(OptionList.Entry::key)
            .collect(Collectors.toSet());
    for (Map.Entry<String, String> given : options.peekAll().entrySet()) {
      String key = given.getKey().replaceFirst("\\.\\d+$", ".N");
      String name = given.getValue();
      if (children.contains(key) && all.contains(name) && !before.contains(name)) {
        throw new OptionException(
            "%s: node '%s' for '%s' is described later; a node comes before those that use it"
                .formatted(options.owner(), name, given.getKey()));
      }
    }
  }
}
