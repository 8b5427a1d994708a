// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.tool;

import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageWriter;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** An image that takes what is written instead of another one, and has no name any more. */
final class TemporaryOverlay {
  private static final String OWNER = "the temporary image";

  private TemporaryOverlay() {}

  /** Opens one. Control side; waits. */
  static BlockNode open(BlockGraph graph, BlockNode base) throws BlockException, OptionException {
    Path path;
    try {
      path = Files.createTempFile("spindle", ".qcow2");
    } catch (IOException e) {
      throw new BlockException("Could not make a temporary image: " + e.getMessage(), e);
    }
    try {
      BlockNode file =
          graph.open(
              new Options(
                  OWNER,
                  Map.of("driver", "file", "filename", path.toString(), "discard", "unmap")));
      Options wanted = new Options(OWNER, Map.of("size", Long.toString(base.length())));
      ImageWriter.write(graph, file, "qcow2", ImageCreator.load().get("qcow2").read(wanted));
      return graph.open(
          new Options(
              OWNER,
              Map.of(
                  "driver",
                  "qcow2",
                  "file",
                  file.name(),
                  "backing",
                  base.name(),
                  "discard",
                  "unmap")));
    } finally {
      delete(path);
    }
  }

  private static void delete(Path path) throws BlockException {
    try {
      Files.delete(path);
    } catch (IOException e) {
      throw new BlockException("Could not delete the temporary image " + path, e);
    }
  }
}
