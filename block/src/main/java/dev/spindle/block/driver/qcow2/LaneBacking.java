// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.ImageException;
import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.linux.IoVector;

/** A backing node as straight-line code of one context reads it. */
final class LaneBacking implements Backing {
  private final ImageFile file;
  private final BlockLane lane;
  private final long length;

  /**
   * Uses a lane, which its owner closes.
   *
   * @param lane of {@code file}
   */
  LaneBacking(ImageFile file, BlockLane lane) {
    this.file = file;
    this.lane = lane;
    this.length = file.length();
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
    try {
      file.read(offset, data, position, bytes);
    } catch (ImageException e) {
      throw new Qcow2Exception(e.errno(), e.getMessage());
    }
  }
}
