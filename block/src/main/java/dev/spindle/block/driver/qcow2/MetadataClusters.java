// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.Arrays;

/**
 * The clusters of the file that hold metadata, which guest data must not share. A set of numbers
 * without objects: there may be millions. Under the image's lock.
 */
final class MetadataClusters {
  /** Open addressing; 0 is a free place, since cluster 0 is known to hold the header. */
  private long[] places = new long[64];

  private int count;

  /** Adds some clusters. */
  void add(long first, long clusters) {
    for (long cluster = first; cluster < first + clusters; cluster++) {
      if (cluster != 0) {
        add(cluster);
      }
    }
  }

  private void add(long cluster) {
    if (2 * count >= places.length) {
      long[] before = places;
      places = new long[2 * before.length];
      Arrays.stream(before).filter(one -> one != 0).forEach(one -> places[place(one)] = one);
    }
    int place = place(cluster);
    if (places[place] == 0) {
      places[place] = cluster;
      count++;
    }
  }

  private int place(long cluster) {
    int mask = places.length - 1;
    int place = (int) ((cluster * 0x9e37_79b9_7f4a_7c15L) >>> 32) & mask;
    while (places[place] != 0 && places[place] != cluster) {
      place = place + 1 & mask;
    }
    return place;
  }

  /** Whether a cluster holds metadata. */
  boolean contains(long cluster) {
    return cluster == 0 || places[place(cluster)] == cluster;
  }

  /** Takes out some clusters. */
  void remove(long first, long clusters) {
    for (long cluster = first; cluster < first + clusters; cluster++) {
      if (contains(cluster) && cluster != 0) {
        remove(cluster);
      }
    }
  }

  private void remove(long cluster) {
    int mask = places.length - 1;
    int place = place(cluster);
    places[place] = 0;
    count--;
    // What follows without a gap may have been put there because this place was taken.
    for (int next = place + 1 & mask; places[next] != 0; next = next + 1 & mask) {
      long moved = places[next];
      places[next] = 0;
      places[place(moved)] = moved;
    }
  }
}
