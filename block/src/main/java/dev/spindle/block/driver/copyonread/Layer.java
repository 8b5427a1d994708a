// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;

/** A backing file as one context sees it. */
record Layer(BlockLane lane, BlockNode node) implements BackingLayer {
  @Override
  public long length() {
    return node.length();
  }

  @Override
  public long allocated(long offset, long length) {
    return lane.allocated(offset, length);
  }
}
