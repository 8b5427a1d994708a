// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.image;

import dev.spindle.block.graph.BlockException;

/** For a node: one that can take the space for what it holds before it is written to. */
public interface PreallocatingImage {
  /**
   * Takes the space for all that lies past an offset, which has just been added and reads as
   * zeroes. Control side; waits.
   *
   * @param from bytes
   * @param mode not {@link Preallocation#OFF}
   * @throws BlockException if there is no room, or it knows no such mode
   */
  void preallocate(long from, Preallocation mode) throws BlockException;
}
