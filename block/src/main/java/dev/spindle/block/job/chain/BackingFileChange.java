// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.DrainedSection;
import dev.spindle.block.image.BackedImage;
import dev.spindle.block.job.WriteAccess;
import java.util.Optional;

/**
 * Changes what an image names as its backing file, and nothing else (QAPI's change-backing-file):
 * the node stays on what it stands on.
 */
public final class BackingFileChange {
  private BackingFileChange() {}

  /**
   * Does it; waits. Control side.
   *
   * @param disk in whose chain the image must be
   * @param node the image
   * @param file what it is to name
   * @throws BlockException if it is not in the chain, backs onto nothing, or cannot be written; it
   *     names what it did, then
   */
  public static void run(BlockGraph graph, BlockNode disk, BlockNode node, String file)
      throws BlockException {
    if (BackingChain.of(disk).downTo(node).isEmpty()) {
      throw new BlockException(
          "Node '%s' is not in the backing chain of '%s'".formatted(node.name(), disk.name()));
    }
    Optional<BlockEdge> link = BackingChain.backing(node);
    if (link.isEmpty() || !(node instanceof BackedImage image)) {
      throw new BlockException(
          "Node '%s' has no backing file that its image could name".formatted(node.name()));
    }
    if (link.get().isFrozen()) {
      throw new BlockException(
          "Cannot change what the image of node '%s' names: a job relies on it"
              .formatted(node.name()));
    }
    WriteAccess access = new WriteAccess(graph);
    access.take(node);
    try {
      Optional<String> format = image.backingFile().flatMap(BackingName::format);
      BackingName plain = BackingNames.of(node, link.get().node(), Optional.of(file));
      DrainedSection section = DrainedSection.begin(node);
      try (section) {
        image.changeBackingFile(
            Optional.of(new BackingName(file, format.isPresent() ? format : plain.format())));
      }
    } finally {
      access.giveBack();
    }
  }
}
