// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Numbers in tables of an image, of which the pages used last are kept: 2 MiB at most, whatever the
 * image claims. What is set is written at once. The caller holds the image's lock, and uses one
 * file with one cache.
 */
public final class MetadataCache {
  private static final int PAGE = 16 << 10;
  private static final int MOST_PAGES = 128;

  /** What is written for one number: a disk writes no less. */
  private static final int SECTOR = 512;

  private final ByteOrder order;

  /** By the page's offset in the file; the page that was used least recently goes first. */
  private final Map<Long, Fields> pages = new LinkedHashMap<>(16, 0.75f, true);

  /** An empty cache of numbers in a byte order. */
  public MetadataCache(ByteOrder order) {
    this.order = order;
  }

  /**
   * A number of 32 bits.
   *
   * @param offset in the file, a multiple of 4 bytes
   * @throws ImageException if the file ends before, or reading fails
   */
  public long u32(ImageFile file, long offset) throws ImageException {
    return page(file, offset, 4).u32(within(offset));
  }

  /** As {@link #u32}, of 64 bits at a multiple of 8 bytes; from 2^63 on it comes out negative. */
  public long bits64(ImageFile file, long offset) throws ImageException {
    return page(file, offset, 8).bits64(within(offset));
  }

  /** Sets a number of 32 bits at a multiple of 4 bytes, which is written before this returns. */
  public void put32(ImageFile file, long offset, long value) throws ImageException {
    Fields page = page(file, offset, 4);
    long before = page.u32(within(offset));
    page.put32(within(offset), value);
    try {
      write(file, offset, page);
    } catch (ImageException e) {
      page.put32(within(offset), before);
      throw e;
    }
  }

  /** As {@link #put32}, of 64 bits at a multiple of 8 bytes. */
  public void put64(ImageFile file, long offset, long value) throws ImageException {
    Fields page = page(file, offset, 8);
    long before = page.bits64(within(offset));
    page.put64(within(offset), value);
    try {
      write(file, offset, page);
    } catch (ImageException e) {
      page.put64(within(offset), before);
      throw e;
    }
  }

  /** Forgets all pages, after something was written past the cache. */
  public void clear() {
    pages.clear();
  }

  private static int within(long offset) {
    return (int) (offset & (PAGE - 1));
  }

  private Fields page(ImageFile file, long offset, int bytes) throws ImageException {
    file.checkInside(offset, bytes);
    long start = offset & -PAGE;
    Fields page = pages.get(start);
    if (page == null) {
      page = Fields.zeroes(PAGE, order);
      file.read(start, page.memory());
      pages.put(start, page);
      if (pages.size() > MOST_PAGES) {
        pages.remove(pages.keySet().iterator().next());
      }
    }
    return page;
  }

  private static void write(ImageFile file, long offset, Fields page) throws ImageException {
    long sector = offset & -SECTOR;
    file.write(sector, page.part(within(sector), SECTOR));
  }
}
