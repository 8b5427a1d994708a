// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

/** What the words of an L2 entry mean. */
final class Entry {
  /** Of an L1 or L2 entry: what it leads to has a refcount of exactly one. */
  static final long COPIED = 1L << 63;

  /** The cluster is compressed. */
  static final long COMPRESSED = 1L << 62;

  /** The cluster reads as zeroes; never set in extended entries. */
  static final long ZERO = 1;

  /** Where an L2 table or a cluster is. */
  static final long OFFSET = 0x00ff_ffff_ffff_fe00L;

  /** Bits of an L1 entry that must not be set. */
  static final long L1_RESERVED = 0x7f00_0000_0000_01ffL;

  /** Bits of a refcount table entry that must not be set. */
  static final long REFCOUNT_RESERVED = 0x1ffL;

  /** In the bitmap of an extended entry: all subclusters are allocated. */
  static final long ALL_ALLOCATED = 0xffff_ffffL;

  /** All subclusters read as zeroes. */
  static final long ALL_ZERO = ALL_ALLOCATED << 32;

  /** What a subcluster, or a whole cluster without subclusters, is. */
  enum Kind {
    /** Read from below. */
    ABSENT,
    /** Reads as zeroes. */
    ZERO,
    /** Is where the entry says. */
    DATA,
    COMPRESSED,
    /** The entry says what cannot be. */
    INVALID
  }

  private Entry() {}

  static boolean isCompressed(long descriptor) {
    return (descriptor & COMPRESSED) != 0;
  }

  static boolean isCopied(long descriptor) {
    return (descriptor & COPIED) != 0;
  }

  /** Where the cluster is; 0 if it has no place, but in external data files that is one. */
  static long host(long descriptor) {
    return descriptor & OFFSET;
  }

  /** The kind of a cluster without subclusters. */
  static Kind kind(long descriptor, boolean externalData) {
    if (isCompressed(descriptor)) {
      return Kind.COMPRESSED;
    }
    if ((descriptor & ZERO) != 0) {
      return Kind.ZERO;
    }
    return hasPlace(descriptor, externalData) ? Kind.DATA : Kind.ABSENT;
  }

  /** The kind of a subcluster. */
  static Kind kind(long descriptor, long bitmap, int subcluster, boolean externalData) {
    if (isCompressed(descriptor)) {
      return Kind.COMPRESSED;
    }
    boolean allocated = (bitmap >>> subcluster & 1) != 0;
    boolean zero = (bitmap >>> (32 + subcluster) & 1) != 0;
    if (allocated) {
      return zero || !hasPlace(descriptor, externalData) ? Kind.INVALID : Kind.DATA;
    }
    return zero ? Kind.ZERO : Kind.ABSENT;
  }

  /** Whether a standard cluster's entry names a place. */
  static boolean hasPlace(long descriptor, boolean externalData) {
    return host(descriptor) != 0 || (externalData && isCopied(descriptor));
  }

  /** Bits for a range of subclusters, in the lower half. */
  static long bits(int first, int end) {
    return (1L << end) - (1L << first);
  }
}
