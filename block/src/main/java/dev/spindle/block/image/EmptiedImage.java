// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;

/** For a format's node: an image that can give up all that it holds itself. */
public interface EmptiedImage {
  /**
   * Gives up all data, so that what the image backs onto is seen, or zeroes. Internal snapshots
   * stay. For somebody who may write to the node. Control side; waits, and keeps requests off
   * meanwhile.
   *
   * @throws BlockException if the image cannot be written
   */
  void makeEmpty() throws BlockException;
}
