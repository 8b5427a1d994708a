// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.linux.IoVector;

/** A backing node as straight-line code of one context reads it. */
final class LaneBacking implements Backing {
  private final LaneStorage storage;
  private final BlockLane lane;
  private final long length;

  /** Uses a lane, which its owner closes. */
  LaneBacking(LaneStorage storage, BlockLane lane) {
    this.storage = storage;
    this.lane = lane;
    this.length = storage.length();
  }

  BlockLane lane() {
    return lane;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void read(long offset, IoVector data, long position, long bytes) throws Qcow2Exception {
    storage.read(offset, data, position, bytes);
  }
}
