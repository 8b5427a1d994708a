// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.graph.BlockDriver;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** {@code driver=file}: raw bytes in a regular file or on a block device. */
public final class FileDriver implements BlockDriver {
  @Override
  public String name() {
    return "file";
  }

  @Override
  public BlockNode open(BlockGraph graph, String nodeName, Options options)
      throws BlockException, OptionException {
    OpenImage image = OpenImage.open(FileOptions.from(options));
    return new FileNode(nodeName, graph.mainContext(), image);
  }
}
