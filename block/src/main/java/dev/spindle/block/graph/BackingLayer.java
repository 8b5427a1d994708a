// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.List;

/** One image of a backing chain, as somebody sees it who asks which of them holds what. */
public interface BackingLayer {
  /** Of the image, in bytes. */
  long length();

  /** As {@link BlockLane#allocated}, of a range inside the image. May wait as that does. */
  long allocated(long offset, long length);

  /**
   * Whether one of several images holds the start of a range (QEMU's bdrv_is_allocated_above). What
   * one of them is too short for, it is what makes it read as zeroes, whatever is below: it counts
   * as held.
   *
   * @param layers each standing on the next one; those above the first do not hold the range
   * @param offset start of the range in bytes
   * @param length of the range, positive
   * @return how many bytes from the start on are alike: positive if one of the images holds them,
   *     negative if none does; never 0
   */
  static long allocatedIn(List<? extends BackingLayer> layers, long offset, long length) {
    long run = length;
    for (BackingLayer layer : layers) {
      long inside = layer.length() - offset;
      if (inside <= 0) {
        return run;
      }
      long held = layer.allocated(offset, Math.min(run, inside));
      if (held > 0) {
        return held;
      }
      run = -held;
    }
    return -run;
  }
}
