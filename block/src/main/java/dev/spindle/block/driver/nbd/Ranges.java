// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.linux.IoVector;

/** Parts of lists of buffers that may have more ranges than a message has room for. */
final class Ranges {
  private Ranges() {}

  /**
   * How many bytes from a position on lie in the first {@code mostRanges} ranges.
   *
   * @return {@code length} at most
   */
  static long bytes(IoVector source, long position, long length, int mostRanges) {
    if (source.count() <= mostRanges) {
      return length;
    }
    long skip = position;
    long found = 0;
    int ranges = 0;
    for (int i = 0; i < source.count() && found < length && ranges < mostRanges; i++) {
      long size = source.length(i);
      if (skip >= size) {
        skip -= size;
        continue;
      }
      found += size - skip;
      skip = 0;
      ranges++;
    }
    return Math.min(found, length);
  }
}
