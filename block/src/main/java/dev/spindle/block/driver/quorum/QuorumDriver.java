// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.ArrayList;
import java.util.List;

/** {@code driver=quorum}: writes to all of {@code children.0}, {@code children.1} and so on. */
public final class QuorumDriver implements BlockDriver {
  @Override
  public String name() {
    return "quorum";
  }

  @Override
  public BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException {
    List<BlockNode> children = children(graph, options);
    for (BlockNode child : children) {
      if (child.length() != children.getFirst().length()) {
        throw new BlockException(
            "Children of a quorum must have the same length: node '%s' has %d bytes, node '%s' %d"
                .formatted(
                    children.getFirst().name(),
                    children.getFirst().length(),
                    child.name(),
                    child.length()));
      }
    }
    return new QuorumNode(nodeName, children, QuorumOptions.from(options, children.size()));
  }

  private static List<BlockNode> children(BlockGraph graph, Options options)
      throws BlockException, OptionException {
    Options members = options.nested("children");
    List<BlockNode> children = new ArrayList<>();
    while (!members.isEmpty()) {
      children.add(graph.child(Integer.toString(children.size()), members));
    }
    if (children.isEmpty()) {
      throw new OptionException(
          options.owner() + ": Number of provided children must be 1 or more");
    }
    return children;
  }
}
