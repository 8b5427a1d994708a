// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/**
 * {@code driver=raw}: a node as it is, or the window of it that {@code offset} and {@code size}
 * say.
 */
public final class RawDriver implements BlockDriver {
  @Override
  public String name() {
    return "raw";
  }

  @Override
  public Description read(Options options) throws OptionException {
    ChildOption child = ChildOption.take("file", options);
    RawOptions.Wanted wanted = RawOptions.take(options);
    return (graph, nodeName) -> {
      BlockNode file = child.open(graph, nodeName);
      return new RawNode(nodeName, file, wanted.on(file));
    };
  }
}
