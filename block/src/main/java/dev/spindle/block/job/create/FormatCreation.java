// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageWriter;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildOption;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;

/** A new image in a node that the user names or describes. */
final class FormatCreation {
  private final BlockGraph graph;
  private final ImageCreator creator;
  private final ChildOption file;
  private final ImageCreator.NewImage image;

  private FormatCreation(
      BlockGraph graph, ImageCreator creator, ChildOption file, ImageCreator.NewImage image) {
    this.graph = graph;
    this.creator = creator;
    this.file = file;
    this.image = image;
  }

  static FormatCreation from(BlockGraph graph, ImageCreator creator, Options options)
      throws OptionException {
    ChildOption file = ChildOption.take("file", options);
    return new FormatCreation(graph, creator, file, creator.read(options));
  }

  /** Makes it. Control side; waits. A node that was opened for it is closed again. */
  void create() throws BlockException {
    BlockNode node;
    try {
      node = file.open(graph, "create");
    } catch (OptionException e) {
      throw new BlockException(e.getMessage(), e);
    }
    try {
      ImageWriter.write(graph, node, creator.driver(), image);
    } finally {
      if (!file.isReference()) {
        graph.close(node);
      }
    }
  }
}
