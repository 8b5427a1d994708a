// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import java.util.ArrayList;
import java.util.List;

/** An image's files as control work uses them, while no user's requests go to the image. */
final class ControlFiles implements AutoCloseable {
  private final AioContext context;
  private final List<BlockLane> lanes = new ArrayList<>();
  private final List<ImageFile> files = new ArrayList<>();

  /**
   * Opens lanes to nodes.
   *
   * @param context the main loop's
   */
  ControlFiles(AioContext context, List<BlockNode> nodes) {
    this.context = context;
    nodes.forEach(this::add);
  }

  void add(BlockNode node) {
    BlockLane lane = node.openLane(context);
    lanes.add(lane);
    files.add(new ImageFile(node, lane));
  }

  ImageIo io() {
    return new ImageIo(files);
  }

  @Override
  public void close() {
    lanes.forEach(BlockLane::close);
  }
}
