// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BackendUser;
import dev.spindle.block.graph.BlockBackend;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Permission;
import java.util.EnumSet;
import java.util.Set;

/** Puts new images into nodes. */
public final class ImageWriter implements BackendUser {
  private static final Set<Permission> USED =
      EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE);

  private final String what;

  private ImageWriter(String what) {
    this.what = what;
  }

  /**
   * Empties a node, writes a new image to it, and flushes it. Control side; waits.
   *
   * @param file nobody else may write to it meanwhile
   * @param driver names the format in errors
   * @throws BlockException if the node cannot be had alone or be resized, or the image cannot be
   */
  public static void write(
      BlockGraph graph, BlockNode file, String driver, ImageCreator.NewImage image)
      throws BlockException {
    BlockBackend backend =
        new BlockBackend(
            file, new ImageWriter(driver), USED, EnumSet.of(Permission.CONSISTENT_READ));
    try {
      BlockLane lane = file.openLane(graph.mainContext());
      try {
        ImageFile target = new ImageFile(file, lane);
        target.resize(0);
        image.write(target, graph.objects());
        target.flush();
      } finally {
        lane.close();
      }
    } finally {
      backend.close();
    }
  }

  @Override
  public String describe() {
    return "the creation of a " + what + " image";
  }
}
