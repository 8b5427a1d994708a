// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.nio.ByteOrder;

/**
 * A table of an image's that says where its clusters are: numbers of 32 or 64 bits, side by side.
 * Called with the image's lock held.
 */
public final class EntryTable {
  /** Bytes that are looked through at once: whole entries. */
  private static final int SCAN = 64 << 10;

  private final long offset;
  private final long entries;
  private final int width;
  private final ByteOrder order;
  private final MetadataCache cache;

  /** Looks at an entry. */
  @FunctionalInterface
  public interface Visitor {
    /**
     * Looks at one.
     *
     * @param value numbers of 64 bits come out negative from 2^63 on
     */
    void visit(long index, long value) throws ImageException;
  }

  /**
   * Describes a table.
   *
   * @param offset in the file, a multiple of {@code width}
   * @param width bytes of an entry, 4 or 8
   */
  public EntryTable(long offset, long entries, int width, ByteOrder order) {
    this.offset = offset;
    this.entries = entries;
    this.width = width;
    this.order = order;
    this.cache = new MetadataCache(order);
  }

  /** Reads an entry, from memory if it is there. */
  public long get(ImageFile file, long index) throws ImageException {
    long at = offset + index * width;
    return width == 4 ? cache.u32(file, at) : cache.bits64(file, at);
  }

  /** Writes an entry. */
  public void put(ImageFile file, long index, long value) throws ImageException {
    long at = offset + index * width;
    if (width == 4) {
      cache.put32(file, at, value);
    } else {
      cache.put64(file, at, value);
    }
  }

  /** Reads all entries, in order, past the cache: it holds nothing that is not written. */
  public void forEach(ImageFile file, Visitor visitor) throws ImageException {
    int most = SCAN / width;
    for (long first = 0; first < entries; first += most) {
      int count = (int) Math.min(most, entries - first);
      Fields part = file.read(offset + first * width, count * width, order);
      for (int i = 0; i < count; i++) {
        visitor.visit(first + i, width == 4 ? part.u32(i * 4) : part.bits64(i * 8));
      }
    }
  }
}
