// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.TreeMap;

/** How often clusters are found to be referred to: numbers for those parts that are at all. */
final class References {
  private static final int PART_BITS = 8;

  private final TreeMap<Long, int[]> parts = new TreeMap<>();

  /** One more reference to a cluster; returns how many there were. */
  int add(long cluster) {
    int[] part = parts.computeIfAbsent(cluster >>> PART_BITS, any -> new int[1 << PART_BITS]);
    return part[(int) cluster & (1 << PART_BITS) - 1]++;
  }

  int get(long cluster) {
    int[] part = parts.get(cluster >>> PART_BITS);
    return part == null ? 0 : part[(int) cluster & (1 << PART_BITS) - 1];
  }

  /** The first cluster from {@code from} on that is referred to; -1 if there is none. */
  long next(long from) {
    for (long at = nextPart(from); at >= 0; at = nextPart(at)) {
      long partEnd = ((at >>> PART_BITS) + 1) << PART_BITS;
      for (; at < partEnd; at++) {
        if (get(at) > 0) {
          return at;
        }
      }
    }
    return -1;
  }

  /** Behind the last cluster that may be referred to. */
  long end() {
    return parts.isEmpty() ? 0 : (parts.lastKey() + 1) << PART_BITS;
  }

  /** The first cluster from {@code from} on whose part has references; -1 if there is none. */
  long nextPart(long from) {
    Long part = parts.ceilingKey(from >>> PART_BITS);
    return part == null ? -1 : Math.max(from, part << PART_BITS);
  }

  /** Whether the part of a cluster has references. */
  boolean hasPart(long cluster) {
    return parts.containsKey(cluster >>> PART_BITS);
  }
}
