// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/** Feature bits of the header. */
final class Features {
  /** Incompatible: refcounts may be wrong. */
  static final long DIRTY = 1;

  /** Incompatible: anything may be wrong; the image must not be written. */
  static final long CORRUPT = 1 << 1;

  /** Incompatible: guest clusters are in another file. */
  static final long DATA_FILE = 1 << 2;

  /** Incompatible: compressed clusters are not deflated. */
  static final long COMPRESSION_TYPE = 1 << 3;

  /** Incompatible: L2 entries have subclusters. */
  static final long EXTENDED_L2 = 1 << 4;

  /** Incompatible bits that this driver knows. */
  static final long KNOWN_INCOMPATIBLE =
      DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2;

  /** Compatible: refcounts may be written late. */
  static final long LAZY_REFCOUNTS = 1;

  /** Auto-clear: the bitmaps extension can be trusted. */
  static final long BITMAPS = 1;

  /** Auto-clear: the data file is a raw image of its own. */
  static final long RAW_DATA_FILE = 1 << 1;

  private Features() {}
}
