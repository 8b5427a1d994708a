// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/** Where a compressed cluster is, as its descriptor says. */
final class Compressed {
  private static final int SECTOR = 512;

  private Compressed() {}

  /** Where its data starts in the file, bytes: anywhere. */
  static long offset(Geometry geometry, long descriptor) {
    return descriptor & (1L << geometry.compressedOffsetBits()) - 1;
  }

  /** How many bytes it may have, to the end of its last sector. */
  static int bytes(Geometry geometry, long descriptor) {
    int bits = geometry.compressedOffsetBits();
    long more = descriptor >>> bits & (1L << (62 - bits)) - 1;
    return (int) ((more + 1) * SECTOR - (offset(geometry, descriptor) & SECTOR - 1));
  }

  /** The descriptor for data that has been put somewhere. */
  static long descriptor(Geometry geometry, long offset, int bytes) {
    long more = (offset + bytes - 1) / SECTOR - offset / SECTOR;
    return Entry.COMPRESSED | more << geometry.compressedOffsetBits() | offset;
  }
}
