// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.throttle;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;

/** {@code driver=throttle}: limits what passes, together with others of one throttle group. */
public final class ThrottleDriver implements BlockDriver {
  private static final String GROUP = "throttle-group";

  @Override
  public String name() {
    return "throttle";
  }

  @Override
  public Description read(Options options) throws OptionException {
    OpeningOptions opening = OpeningOptions.of(options);
    String group = options.require(GROUP);
    ChildOption file = ChildOption.take("file", options);
    return (graph, nodeName) -> {
      ThrottleGroup found = graph.throttleGroups().require(group);
      return new ThrottleNode(nodeName, file.open(graph, nodeName), found).openedWith(opening);
    };
  }

  static ThrottleGroup group(BlockGraph graph, Options options)
      throws BlockException, OptionException {
    return graph.throttleGroups().require(options.require(GROUP));
  }
}
