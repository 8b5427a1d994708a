// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.format.BackingName;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** What an image is to say of its backing file. Control side. */
final class BackingNames {
  private BackingNames() {}

  /**
   * How an image is to name a node.
   *
   * @param given the name that the user wants; otherwise it is that of the node's file
   * @throws BlockException if the node is no file of this host, and no name is given
   */
  static BackingName of(BlockNode overlay, BlockNode backing, Optional<String> given)
      throws BlockException {
    return new BackingName(
        given.isPresent() ? given.get() : name(overlay, backing), Optional.of(format(backing)));
  }

  /**
   * How an image that is not there yet is to name a node: by its absolute path.
   *
   * @throws BlockException if the node is no file of this host
   */
  static BackingName absolute(BlockNode backing) throws BlockException {
    Optional<Path> file = BackingChain.file(backing);
    if (file.isEmpty()) {
      throw new BlockException(
          "Node '%s' is no file of this host: a new image cannot name it as its backing file"
              .formatted(backing.name()));
    }
    return new BackingName(file.get().toAbsolutePath().toString(), Optional.of(format(backing)));
  }

  private static String format(BlockNode backing) {
    String driver = BackingChain.image(backing).driver();
    return driver.equals("file") ? "raw" : driver;
  }

  private static String name(BlockNode overlay, BlockNode backing) throws BlockException {
    Optional<Path> file = BackingChain.file(backing);
    if (file.isEmpty()) {
      throw new BlockException(
          "Node '%s' is no file of this host: the image of node '%s' can name it only by what 'backing-file' says"
              .formatted(backing.name(), overlay.name()));
    }
    return isFoundFrom(overlay, file.get())
        ? file.get().toString()
        : file.get().toAbsolutePath().toString();
  }

  /** Whether a name leads to the file from where the image is, too. */
  private static boolean isFoundFrom(BlockNode overlay, Path file) {
    Optional<Path> image = BackingChain.file(overlay);
    try {
      return image.isPresent() && Files.isSameFile(image.get().resolveSibling(file), file);
    } catch (IOException e) {
      return false;
    }
  }
}
