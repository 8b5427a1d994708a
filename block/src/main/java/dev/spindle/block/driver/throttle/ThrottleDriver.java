// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.throttle;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import dev.spindle.block.throttle.ThrottleGroup;

/** {@code driver=throttle}: limits what passes, together with others of one throttle group. */
public final class ThrottleDriver implements BlockDriver {
  @Override
  public String name() {
    return "throttle";
  }

  @Override
  public BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException {
    ThrottleGroup group = group(graph, options);
    return new ThrottleNode(nodeName, graph.child("file", options), group);
  }

  static ThrottleGroup group(BlockGraph graph, Options options)
      throws BlockException, OptionException {
    return graph.throttleGroups().require(options.require("throttle-group"));
  }
}
