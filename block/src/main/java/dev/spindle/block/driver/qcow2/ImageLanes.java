// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The lanes of one context to all that an image consists of. Owner thread of that context.
 *
 * @param all of them, each to be closed
 * @param file to the file with the tables
 * @param data to the guest's clusters, deciphered if need be
 * @param backing null if there is none
 * @param io the same for straight-line code
 */
@SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
record ImageLanes(
    BlockLane[] all, BlockLane file, BlockLane data, LaneBacking backing, Qcow2Io io) {
  /** A node, and a lane to it. */
  record Way(BlockNode node, BlockLane lane) {
    Storage storage(ReentrantLock growth) {
      return new LaneStorage(new ImageFile(node, lane), growth);
    }
  }

  /**
   * Puts lanes together.
   *
   * @param data null if the file's lane leads to the data as well
   * @param backing null if there is none
   * @param external whether the data are in another file than the tables
   * @param growth held by who makes a file longer
   */
  static ImageLanes of(
      BlockLane[] all, Way file, Way data, Way backing, boolean external, ReentrantLock growth) {
    Storage tables = file.storage(growth);
    Storage clusters = data == null ? tables : data.storage(growth);
    LaneBacking below =
        backing == null
            ? null
            : new LaneBacking(new ImageFile(backing.node, backing.lane), backing.lane);
    Qcow2Io io = new Qcow2Io(tables, clusters, below, external);
    return new ImageLanes(all, file.lane, data == null ? file.lane : data.lane, below, io);
  }

  void close() {
    for (BlockLane lane : all) {
      lane.close();
    }
  }
}
