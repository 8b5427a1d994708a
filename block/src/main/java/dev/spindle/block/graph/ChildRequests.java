// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import java.util.Arrays;

/**
 * A lane's requests to its children: as many as were ever in use at a time, for each size. Taking
 * one allocates nothing, once the lane has warmed up. Owner thread of one context.
 */
public final class ChildRequests {
  /** By the logarithm of the number of buffers. */
  private final ChildRequest[][] free = new ChildRequest[11][0];

  private final int[] count = new int[free.length];

  /**
   * Takes a request without data.
   *
   * @param buffers how many it must have room for, from 0 to 1024
   */
  public ChildRequest take(int buffers) {
    int sizeClass = buffers <= 1 ? 0 : Integer.SIZE - Integer.numberOfLeadingZeros(buffers - 1);
    if (count[sizeClass] == 0) {
      return new ChildRequest(this, sizeClass);
    }
    return free[sizeClass][--count[sizeClass]];
  }

  void putBack(ChildRequest request) {
    int sizeClass = request.sizeClass();
    if (count[sizeClass] == free[sizeClass].length) {
      free[sizeClass] = Arrays.copyOf(free[sizeClass], Math.max(4, 2 * count[sizeClass]));
    }
    free[sizeClass][count[sizeClass]++] = request;
  }
}
