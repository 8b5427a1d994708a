// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.driver.qcow2.Entry.Kind;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Where the image's clusters are, as far as that is in memory: the L1 table, and pieces of L2
 * tables. Looked at by any thread without a lock, changed under the image's lock.
 */
final class ClusterMap {
  private final Geometry geometry;
  private final boolean externalData;
  private final L2Cache cache;
  private final int clusterBits;
  private final int sliceBits;
  private final boolean extended;

  /** Replaced under the image's lock, when the image changes its length. */
  private volatile AtomicLongArray l1;

  ClusterMap(Geometry geometry, boolean externalData, long[] l1, L2Cache cache) {
    this.geometry = geometry;
    this.externalData = externalData;
    this.cache = cache;
    this.l1 = new AtomicLongArray(l1);
    this.clusterBits = geometry.clusterBits();
    this.sliceBits = geometry.sliceBits();
    this.extended = geometry.extended();
  }

  L2Cache cache() {
    return cache;
  }

  /** Entries of the L1 table. */
  int l1Size() {
    return l1.length();
  }

  /** The L1 entry for an offset in the image. Any thread. */
  long l1Entry(long offset) {
    return l1.getAcquire(l1Index(offset));
  }

  /** An L1 entry by its number. Any thread. */
  long l1At(int index) {
    return l1.getAcquire(index);
  }

  int l1Index(long offset) {
    return (int) (offset >>> geometry.l1Shift());
  }

  /** Changes an L1 entry. Under the image's lock. */
  void setL1(int index, long entry) {
    l1.setRelease(index, entry);
  }

  /** Replaces the L1 table. Under the image's lock. */
  void replaceL1(long[] entries) {
    l1 = new AtomicLongArray(entries);
  }

  /** The number of the L2 piece that an offset belongs to. */
  long sliceIndex(long offset) {
    return offset >>> geometry.sliceShift();
  }

  /** The entry for an offset within its piece. */
  int entryIndex(long offset) {
    return (int) (offset >>> clusterBits) & ((1 << sliceBits) - 1);
  }

  /** Where the piece of an offset ends in the image, in bytes. */
  long sliceEnd(long offset) {
    return (sliceIndex(offset) + 1) << geometry.sliceShift();
  }

  /**
   * Looks a range up. Any thread; waits for nothing and allocates nothing.
   *
   * @param length in bytes, positive, inside the image
   * @param found its kind is null if the metadata is not in memory
   */
  void find(long offset, long length, Found found) {
    if (Entry.host(l1Entry(offset)) == 0) {
      long l1End = ((offset >>> geometry.l1Shift()) + 1) << geometry.l1Shift();
      found.kind = Kind.ABSENT;
      found.length = Math.min(length, l1End - offset);
      return;
    }
    L2Slice slice = cache.find(sliceIndex(offset));
    if (slice == null) {
      found.kind = null;
    } else if (extended) {
      findSubclusters(slice, offset, length, found);
    } else {
      findClusters(slice, offset, length, found);
    }
  }

  private void findClusters(L2Slice slice, long offset, long length, Found found) {
    int entry = entryIndex(offset);
    long first = slice.descriptor(entry);
    long inside = offset & (geometry.clusterSize() - 1);
    start(found, first, Entry.kind(first, externalData), inside);
    long run = geometry.clusterSize() - inside;
    int entries = slice.entries();
    while (run < length && ++entry < entries && found.kind != Kind.COMPRESSED) {
      long next = slice.descriptor(entry);
      if (!continues(found, next, Entry.kind(next, externalData), run)) {
        break;
      }
      run += geometry.clusterSize();
    }
    found.length = Math.min(run, length);
  }

  private static void start(Found found, long descriptor, Kind kind, long inside) {
    found.kind = kind;
    found.descriptor = descriptor;
    found.inPlace = Entry.isCopied(descriptor);
    found.host = Entry.host(descriptor) + inside;
  }

  private static boolean continues(Found found, long descriptor, Kind kind, long run) {
    return kind == found.kind
        && (kind != Kind.DATA
            || (Entry.host(descriptor) == found.host + run
                && Entry.isCopied(descriptor) == found.inPlace));
  }

  private void findSubclusters(L2Slice slice, long offset, long length, Found found) {
    int entries = slice.entries();
    long granule = geometry.granule();
    long inside = offset & (geometry.clusterSize() - 1);
    int subcluster = (int) (inside / granule);
    long run = 0;
    for (int entry = entryIndex(offset); entry < entries && run < length; entry++) {
      int version = slice.version();
      long descriptor = slice.descriptor(entry);
      long bitmap = slice.bitmap(entry);
      if ((version & 1) != 0 || slice.version() != version) {
        // Somebody is changing it: he has the lock, and who waits for that sees the end.
        found.kind = run == 0 ? null : found.kind;
        break;
      }
      if (run == 0) {
        start(found, descriptor, Entry.kind(descriptor, bitmap, subcluster, externalData), inside);
        run =
            found.kind == Kind.COMPRESSED
                ? geometry.clusterSize() - inside
                : granule - (inside & (granule - 1));
        subcluster++;
        if (found.kind == Kind.COMPRESSED) {
          break;
        }
      }
      while (subcluster < Geometry.SUBCLUSTERS && run < length) {
        Kind kind = Entry.kind(descriptor, bitmap, subcluster, externalData);
        long start = Entry.host(descriptor) + subcluster * granule;
        if (kind != found.kind
            || (kind == Kind.DATA
                && (start != found.host + run || Entry.isCopied(descriptor) != found.inPlace))) {
          found.length = Math.min(run, length);
          return;
        }
        run += granule;
        subcluster++;
      }
      subcluster = 0;
    }
    found.length = Math.min(run, length);
  }
}
