// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.format.ImageFile;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import java.util.List;
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
  /**
   * Puts lanes together.
   *
   * @param nodes the file's, the data's if that has a lane of its own, the backing node if there is
   *     one
   * @param lanes in the same order; the data's deciphers if need be
   * @param apart whether the data have a lane of their own
   * @param external whether they are in another file than the tables
   * @param growth held by who makes a file longer
   */
  static ImageLanes of(
      List<BlockNode> nodes,
      BlockLane[] lanes,
      boolean apart,
      boolean external,
      ReentrantLock growth) {
    int data = apart ? 1 : 0;
    ImageFile other = apart ? new ImageFile(nodes.get(data), lanes[data]) : null;
    Storage tables =
        new LaneStorage(new ImageFile(nodes.get(0), lanes[0]), growth, external ? other : null);
    Storage clusters = apart ? new LaneStorage(other, growth, null) : tables;
    int below = data + 1;
    LaneBacking backing =
        lanes.length == below
            ? null
            : new LaneBacking(new ImageFile(nodes.get(below), lanes[below]), lanes[below]);
    Qcow2Io io = new Qcow2Io(tables, clusters, backing, external);
    return new ImageLanes(lanes, lanes[0], lanes[data], backing, io);
  }

  void close() {
    for (BlockLane lane : all) {
      lane.close();
    }
  }
}
