// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.linux.Errno;

/**
 * The sizes that follow from a header: how offsets in the image lead through its tables.
 *
 * @param clusterBits logarithm of the cluster size, from 9 to 21
 * @param refcountOrder logarithm of the bits of a refcount, from 0 to 6
 * @param extended whether L2 entries have subclusters
 * @param version of the format
 */
record Geometry(int clusterBits, int refcountOrder, boolean extended, int version) {
  static final int LEAST_CLUSTER_BITS = 9;
  static final int MOST_CLUSTER_BITS = 21;

  /** Below this, subclusters would be smaller than a sector. */
  static final int LEAST_EXTENDED_CLUSTER_BITS = 14;

  /** Subclusters of a cluster. */
  static final int SUBCLUSTERS = 32;

  /** The largest L1 table that is read, in bytes. */
  static final long MOST_L1 = 32 << 20;

  /** The largest refcount table that is read, in bytes. */
  static final long MOST_REFCOUNT_TABLE = 8 << 20;

  static final int MOST_SNAPSHOTS = 65536;

  /** Host offsets end here: tables have bits 9 to 55 for them. */
  static final long HOST_END = 1L << 56;

  /** L2 tables are cached in pieces of at most this many bytes, and refcount blocks too. */
  private static final int MOST_SLICE = 4096;

  static Geometry of(Qcow2Header header) {
    return new Geometry(
        header.clusterBits(),
        header.refcountOrder(),
        header.has(Features.EXTENDED_L2),
        header.version());
  }

  int clusterSize() {
    return 1 << clusterBits;
  }

  /** The smallest unit that can be allocated, in bytes. */
  int granule() {
    return extended ? clusterSize() / SUBCLUSTERS : clusterSize();
  }

  /** Logarithm of the numbers of 64 bits of an L2 entry. */
  int entryWordsOrder() {
    return extended ? 1 : 0;
  }

  /** Logarithm of the entries of an L2 table. */
  int l2Bits() {
    return clusterBits - 3 - entryWordsOrder();
  }

  /** Logarithm of the bytes of the image that one L1 entry stands for. */
  int l1Shift() {
    return clusterBits + l2Bits();
  }

  /** Bytes of a cached piece of an L2 table or a refcount block. */
  int sliceBytes() {
    return Math.min(MOST_SLICE, clusterSize());
  }

  /** Logarithm of the entries of a piece of an L2 table. */
  int sliceBits() {
    return Integer.numberOfTrailingZeros(sliceBytes()) - 3 - entryWordsOrder();
  }

  /** Logarithm of the bytes of the image that one piece of an L2 table stands for. */
  int sliceShift() {
    return clusterBits + sliceBits();
  }

  /** L1 entries that an image of some bytes needs. */
  long l1Entries(long size) {
    return (size >>> l1Shift()) + ((size & ((1L << l1Shift()) - 1)) == 0 ? 0 : 1);
  }

  /** Logarithm of the refcounts in a refcount block. */
  int refcountBlockBits() {
    return clusterBits + 3 - refcountOrder;
  }

  /** The largest refcount. */
  long mostRefcount() {
    return refcountOrder == 6 ? Long.MAX_VALUE : (1L << (1 << refcountOrder)) - 1;
  }

  /** Whether entries can say that a cluster reads as zeroes. */
  boolean hasZeroFlag() {
    return version >= 3;
  }

  boolean isAligned(long offset) {
    return (offset & (clusterSize() - 1)) == 0;
  }

  /** Clusters that some bytes take. */
  long clusters(long bytes) {
    return (bytes + clusterSize() - 1) >>> clusterBits;
  }

  /** Logarithm of the bytes that the offset field of a compressed cluster's descriptor can say. */
  int compressedOffsetBits() {
    return 62 - (clusterBits - 8);
  }

  /**
   * Refuses a header whose tables cannot be where and as large as it says.
   *
   * @throws Qcow2Exception a sentence that names the table
   */
  void check(Qcow2Header header) throws Qcow2Exception {
    if (extended && clusterBits < LEAST_EXTENDED_CLUSTER_BITS) {
      throw refusal("Unsupported cluster size: 2^" + clusterBits + " with extended L2 entries");
    }
    if (header.size() < 0) {
      throw refusal("Image size is impossible: " + Long.toUnsignedString(header.size()));
    }
    long refcountBytes = (long) header.refcountTableClusters() << clusterBits;
    if (header.refcountTableClusters() == 0) {
      throw refusal("Image does not contain a reference count table");
    }
    if (refcountBytes > MOST_REFCOUNT_TABLE) {
      throw new Qcow2Exception(Errno.EFBIG, "Reference count table too large");
    }
    checkTable(header.refcountTableOffset(), refcountBytes, "Reference count table offset invalid");
    if (header.snapshotCount() > MOST_SNAPSHOTS) {
      throw new Qcow2Exception(Errno.EFBIG, "Snapshot table too large");
    }
    if (header.snapshotCount() > 0 || header.snapshotsOffset() != 0) {
      checkTable(
          header.snapshotsOffset(), 40L * header.snapshotCount(), "Snapshot table offset invalid");
    }
    if (8L * header.l1Size() > MOST_L1) {
      throw new Qcow2Exception(Errno.EFBIG, "Active L1 table too large");
    }
    if (l1Entries(header.size()) > Integer.MAX_VALUE) {
      throw new Qcow2Exception(Errno.EFBIG, "Image is too big");
    }
    if (header.l1Size() < l1Entries(header.size())) {
      throw refusal("L1 table is too small");
    }
    if (header.l1Size() > 0) {
      checkTable(header.l1Offset(), 8L * header.l1Size(), "Active L1 table offset invalid");
    }
  }

  private void checkTable(long offset, long bytes, String refusal) throws Qcow2Exception {
    if (offset <= 0 || !isAligned(offset) || offset > HOST_END - bytes) {
      throw refusal(refusal);
    }
  }

  private static Qcow2Exception refusal(String words) {
    return new Qcow2Exception(Errno.EINVAL, words);
  }
}
