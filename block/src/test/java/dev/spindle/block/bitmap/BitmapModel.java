// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.BitSet;

/** The plainest bitmap that there is, to compare with. */
final class BitmapModel {
  final BitSet bits = new BitSet();
  private final long size;
  private final long granularity;

  BitmapModel(long size, long granularity) {
    this.size = size;
    this.granularity = granularity;
  }

  void set(long offset, long bytes) {
    if (bytes > 0) {
      bits.set(granule(offset), granule(offset + bytes - 1) + 1);
    }
  }

  void reset(long offset, long bytes) {
    if (bytes > 0) {
      bits.clear(granule(offset), granule(offset + bytes - 1) + 1);
    }
  }

  /** Compares the searches from one point, and the counts. */
  void check(HierarchicalBitmap bitmap, long start, long end, long most) {
    assertEquals(bits.cardinality(), bitmap.dirtyGranules());
    assertEquals(dirtyBytes(), bitmap.dirtyBytes());
    assertEquals(bits.get(granule(start)), bitmap.get(start));
    long dirty = next(bits.nextSetBit(granule(start)), start, end);
    assertEquals(dirty, bitmap.nextDirty(start, end));
    assertEquals(next(bits.nextClearBit(granule(start)), start, end), bitmap.nextClean(start, end));
    DirtyArea area = bitmap.nextDirtyArea(start, end, most);
    assertEquals(dirty, area == null ? -1 : area.offset());
    if (area != null) {
      long clean = bits.nextClearBit(granule(dirty)) * granularity;
      assertEquals(Math.min(Math.min(clean, end), Math.min(size, dirty + most)), area.end());
    }
  }

  void checkWhole(HierarchicalBitmap bitmap) {
    BitSet found = new BitSet();
    for (DirtyArea area : bitmap.dirtyAreas(Long.MAX_VALUE)) {
      found.set(granule(area.offset()), granule(area.end() - 1) + 1);
    }
    assertEquals(bits, found);
    assertEquals(dirtyBytes(), bitmap.dirtyBytes());
  }

  private long dirtyBytes() {
    long granules = (size + granularity - 1) / granularity;
    long excess = bits.get((int) (granules - 1)) ? granules * granularity - size : 0;
    return bits.cardinality() * granularity - excess;
  }

  private long next(int granule, long start, long end) {
    long found = Math.max(start, granule * granularity);
    return granule >= 0 && found < Math.min(end, size) ? found : -1;
  }

  private int granule(long offset) {
    return Math.toIntExact(offset / granularity);
  }
}
