// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job;

import dev.spindle.block.bitmap.DirtyBitmap;
import dev.spindle.block.bitmap.DirtyBitmaps;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockNode;

/**
 * A dirty bitmap that says what to copy.
 *
 * @param bitmaps those of the node
 * @param bitmap one of them
 */
public record SyncBitmap(DirtyBitmaps bitmaps, DirtyBitmap bitmap) {
  /**
   * The bitmap of a name. Control side.
   *
   * @throws BlockException if the node has none
   */
  public static SyncBitmap of(BlockNode node, String name) throws BlockException {
    return new SyncBitmap(node.bitmaps(), node.bitmaps().require(name));
  }
}
