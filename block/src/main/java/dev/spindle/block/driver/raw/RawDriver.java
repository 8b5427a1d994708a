// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
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
  public BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException {
    BlockNode file = graph.child("file", options);
    RawOptions window = RawOptions.from(options, file);
    if (file.readOnly() && !window.readOnly()) {
      throw new BlockException("Node '" + file.name() + "' is read-only");
    }
    return new RawNode(nodeName, file, window);
  }
}
