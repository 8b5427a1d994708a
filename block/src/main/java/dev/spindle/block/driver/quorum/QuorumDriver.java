// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.graph.OpeningOptions;
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
  public Description read(Options options) throws OptionException {
    OpeningOptions opening =
        OpeningOptions.of(
            options,
            "children",
            "vote-threshold",
            "blkverify",
            "rewrite-corrupted",
            "read-pattern");
    List<ChildOption> members = members(options);
    QuorumOptions wanted = QuorumOptions.from(options, members.size());
    return (graph, nodeName) -> {
      List<BlockNode> children = new ArrayList<>();
      for (ChildOption member : members) {
        children.add(member.open(graph, nodeName));
      }
      checkLengths(children);
      return new QuorumNode(nodeName, opening, children, wanted);
    };
  }

  private static void checkLengths(List<BlockNode> children) throws BlockException {
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
  }

  private static List<ChildOption> members(Options options) throws OptionException {
    Options given = options.nested("children");
    List<ChildOption> members = new ArrayList<>();
    while (!given.isEmpty()) {
      members.add(ChildOption.take(Integer.toString(members.size()), given));
    }
    if (options.isNoting()) {
      return List.of(ChildOption.take("N", given));
    }
    if (members.isEmpty()) {
      throw new OptionException(
          options.owner() + ": Number of provided children must be 1 or more");
    }
    return members;
  }
}
