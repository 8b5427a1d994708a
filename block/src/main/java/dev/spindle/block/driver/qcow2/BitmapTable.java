// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.bitmap.HierarchicalBitmap;
import dev.spindle.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Where the bits of a persistent bitmap are: an entry for each cluster of them (specification:
 * "Bitmap table").
 *
 * @param entries offsets of clusters, or one of those below; not to be changed
 */
record BitmapTable(long[] entries) {
  /** All bits of a cluster that is not there are 0. */
  static final long ZEROES = 0;

  /** All bits of a cluster that is not there are 1. */
  static final long ONES = 1;

  private static final long RESERVED = 0xff00_0000_0000_01feL;

  /**
   * Reads one.
   *
   * @throws Qcow2Exception if it leads to where nothing can be
   */
  static BitmapTable read(Storage file, Geometry geometry, BitmapEntry bitmap)
      throws Qcow2Exception {
    if (bitmap.tableOffset() + 8L * bitmap.tableSize() > file.length() + geometry.clusterSize()) {
      throw broken(bitmap);
    }
    long[] entries = Bytes.readLongs(file, bitmap.tableOffset(), bitmap.tableSize());
    for (long entry : entries) {
      boolean place = (entry & ~ONES) != 0;
      if ((entry & RESERVED) != 0
          || (place
              && ((entry & ONES) != 0 || !geometry.isAligned(entry) || entry >= file.length()))) {
        throw broken(bitmap);
      }
    }
    return new BitmapTable(entries);
  }

  private static Qcow2Exception broken(BitmapEntry bitmap) {
    return new Qcow2Exception(
        Errno.EINVAL, "The table of bitmap '%s' says what cannot be".formatted(bitmap.name()));
  }

  /** Offsets of the clusters that it leads to. */
  long[] clusters() {
    return Arrays.stream(entries).filter(entry -> (entry & ~ONES) != 0).toArray();
  }

  /** Marks what the clusters say. */
  void load(Storage file, Geometry geometry, HierarchicalBitmap bits) throws Qcow2Exception {
    long covered = covered(geometry, bits);
    for (int i = 0; i < entries.length && i * covered < bits.size(); i++) {
      long start = i * covered;
      long length = Math.min(covered, bits.size() - start);
      if (entries[i] == ONES) {
        bits.set(start, length);
      } else if (entries[i] != ZEROES) {
        byte[] cluster = Bytes.read(file, entries[i], geometry.clusterSize());
        bits.deserialize(start, length, MemorySegment.ofArray(cluster));
      }
    }
  }

  /** Writes what is marked to clusters that are taken for it. */
  static BitmapTable write(SharedTables tables, Geometry geometry, HierarchicalBitmap bits)
      throws Qcow2Exception {
    long covered = covered(geometry, bits);
    long size = Math.max(1, BitmapEntry.tableSize(geometry, bits.size(), bits.granularity()));
    long[] entries = new long[Math.toIntExact(size)];
    try {
      for (int i = 0; i < entries.length; i++) {
        long start = i * covered;
        long end = Math.min(bits.size(), start + covered);
        if (bits.nextDirty(start, end) < 0) {
          continue;
        }
        if (end - start == covered && bits.nextClean(start, end) < 0) {
          entries[i] = ONES;
        } else {
          byte[] cluster = new byte[geometry.clusterSize()];
          bits.serialize(start, end - start, MemorySegment.ofArray(cluster));
          entries[i] = tables.write(cluster);
        }
      }
    } catch (Qcow2Exception e) {
      new BitmapTable(entries).giveBack(tables, geometry);
      throw e;
    }
    return new BitmapTable(entries);
  }

  /** Gives back the clusters that it leads to. */
  void giveBack(SharedTables tables, Geometry geometry) throws Qcow2Exception {
    for (long cluster : clusters()) {
      tables.giveBack(cluster, geometry.clusterSize());
    }
  }

  /** Bytes of the disk that a cluster of bits stands for. */
  private static long covered(Geometry geometry, HierarchicalBitmap bits) {
    return bits.granularity() << (geometry.clusterBits() + 3);
  }
}
