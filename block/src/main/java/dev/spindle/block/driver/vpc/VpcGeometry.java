// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.vpc;

/**
 * Cylinders, heads and sectors of a track (Virtual Hard Disk Image Format Specification, appendix
 * "CHS Calculation").
 */
record VpcGeometry(int cylinders, int heads, int sectorsPerTrack) {
  private static final long MOST = 65535L * 16 * 255;
  private static final long MOST_WITH_63 = 65535L * 16 * 63;

  /** That of a disk of so many sectors; it may hold a few less. */
  static VpcGeometry of(long wanted) {
    long sectors = Math.min(wanted, MOST);
    if (sectors >= MOST_WITH_63) {
      return new VpcGeometry((int) (sectors / 255 / 16), 16, 255);
    }
    int perTrack = 17;
    long cylindersTimesHeads = sectors / perTrack;
    int heads = (int) Math.max(4, (cylindersTimesHeads + 1023) / 1024);
    if (cylindersTimesHeads >= heads * 1024L || heads > 16) {
      perTrack = 31;
      heads = 16;
      cylindersTimesHeads = sectors / perTrack;
    }
    if (cylindersTimesHeads >= heads * 1024L) {
      perTrack = 63;
      heads = 16;
      cylindersTimesHeads = sectors / perTrack;
    }
    return new VpcGeometry((int) (cylindersTimesHeads / heads), heads, perTrack);
  }

  /** The smallest that holds so many sectors; the largest there is if none does. */
  static VpcGeometry atLeast(long sectors) {
    VpcGeometry geometry = of(sectors);
    for (long more = sectors; geometry.sectors() < Math.min(sectors, MOST); more++) {
      geometry = of(more);
    }
    return geometry;
  }

  long sectors() {
    return (long) cylinders * heads * sectorsPerTrack;
  }

  boolean isLargest() {
    return sectors() == MOST;
  }
}
