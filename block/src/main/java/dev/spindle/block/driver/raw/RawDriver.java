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
    long offset = options.size("offset", 0);
    long size = options.size("size", Math.max(0, file.length() - offset));
    boolean readOnly = options.bool("read-only", file.readOnly());
    if (offset % 512 != 0 || size % 512 != 0) {
      throw new OptionException(
          options.owner() + ": 'offset' and 'size' must be multiples of 512 bytes");
    }
    if (offset > file.length() || size > file.length() - offset) {
      throw new BlockException(
          "The sum of offset (%d) and size (%d) has to be smaller or equal to the actual size of the containing file (%d)"
              .formatted(offset, size, file.length()));
    }
    if (file.readOnly() && !readOnly) {
      throw new BlockException("Node '" + file.name() + "' is read-only");
    }
    return new RawNode(nodeName, file, offset, size, readOnly);
  }
}
