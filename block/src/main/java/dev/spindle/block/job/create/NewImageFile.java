// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.create;

import dev.spindle.block.driver.file.FileCreation;
import dev.spindle.block.format.ImageCreator;
import dev.spindle.block.format.ImageWriter;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A new image in a file of this host. */
public final class NewImageFile {
  private NewImageFile() {}

  /**
   * Makes it. Control side; waits.
   *
   * @param path made if it is not there; otherwise emptied, unless somebody uses it
   * @param driver names the format in errors
   * @return whether there was no such file before
   * @throws BlockException if it cannot be made; a file that was not there before is not there then
   */
  public static boolean make(
      BlockGraph graph, Path path, String driver, ImageCreator.NewImage image)
      throws BlockException, OptionException {
    boolean isNew = !Files.exists(path);
    new FileCreation(path, 0, Preallocation.OFF)
        .create(graph.mainContext(), ImageCreation.Steps.IGNORED);
    try {
      write(graph, path, driver, image);
    } catch (BlockException | OptionException | RuntimeException | Error e) {
      if (isNew) {
        delete(path, e);
      }
      throw e;
    }
    return isNew;
  }

  private static void write(BlockGraph graph, Path path, String driver, ImageCreator.NewImage image)
      throws BlockException, OptionException {
    BlockNode file =
        graph.open(
            new Options(
                "the new image",
                Map.of("driver", "file", "filename", path.toString(), "discard", "unmap")));
    try {
      ImageWriter.write(graph, file, driver, image);
    } finally {
      graph.close(file);
    }
  }

  /**
   * Takes a file away that was made in vain.
   *
   * @param reason why; it keeps what goes wrong
   */
  public static void delete(Path path, Throwable reason) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
  }
}
