// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Pieces of refcount blocks in memory, as many as fit into a bound; those used last stay. They may
 * be written at any time: who depends on them flushes. Under the image's lock.
 */
final class RefcountPages {
  /** A piece as it is in the file. */
  private static final class Page {
    final byte[] bytes;
    boolean dirty;

    Page(byte[] bytes) {
      this.bytes = bytes;
    }
  }

  private final int pageBytes;
  private final int most;
  private final int order;
  private final Map<Long, Page> pages = new LinkedHashMap<>(16, 0.75f, true);

  /** What was looked at last, which is most often looked at next. */
  private long lastOffset = -1;

  private Page last;
  private int dirty;

  /**
   * Makes an empty cache.
   *
   * @param most how many pieces it holds, at least 4
   */
  RefcountPages(Geometry geometry, int most) {
    this.pageBytes = geometry.sliceBytes();
    this.most = Math.max(4, most);
    this.order = geometry.refcountOrder();
  }

  /** Whether some changes are not in the file. */
  boolean isDirty() {
    return dirty > 0;
  }

  /**
   * A refcount.
   *
   * @param block where its block is in the file, bytes
   * @param index within the block
   */
  long get(Storage file, long block, int index) throws Qcow2Exception {
    long bit = (long) index << order;
    Page page = page(file, block + (bit >>> 3 & -pageBytes));
    int at = (int) (bit >>> 3 & pageBytes - 1);
    if (order < 3) {
      return ((page.bytes[at] & 0xffL) >>> (bit & 7)) & ((1L << (1 << order)) - 1);
    }
    long value = 0;
    for (int i = 0; i < 1 << (order - 3); i++) {
      value = value << 8 | (page.bytes[at + i] & 0xff);
    }
    return value;
  }

  /** Sets a refcount to a value that fits. */
  void set(Storage file, long block, int index, long value) throws Qcow2Exception {
    long bit = (long) index << order;
    Page page = page(file, block + (bit >>> 3 & -pageBytes));
    put(page.bytes, (int) (bit >>> 3 & pageBytes - 1), (int) bit & 7, order, value);
    if (!page.dirty) {
      page.dirty = true;
      dirty++;
    }
  }

  /** Puts a refcount into a block that is being made. */
  static void put(byte[] block, int index, int order, long value) {
    long bit = (long) index << order;
    put(block, (int) (bit >>> 3), (int) bit & 7, order, value);
  }

  private static void put(byte[] bytes, int at, int bit, int order, long value) {
    if (order < 3) {
      int mask = ((1 << (1 << order)) - 1) << bit;
      bytes[at] = (byte) ((bytes[at] & ~mask) | (int) value << bit);
      return;
    }
    int size = 1 << (order - 3);
    for (int i = 0; i < size; i++) {
      bytes[at + i] = (byte) (value >>> (8 * (size - 1 - i)));
    }
  }

  private Page page(Storage file, long offset) throws Qcow2Exception {
    if (offset == lastOffset) {
      return last;
    }
    Page page = pages.get(offset);
    if (page == null) {
      if (pages.size() >= most) {
        evict(file);
      }
      page = new Page(Bytes.read(file, offset, pageBytes));
      pages.put(offset, page);
    }
    lastOffset = offset;
    last = page;
    return page;
  }

  private void evict(Storage file) throws Qcow2Exception {
    Map.Entry<Long, Page> eldest = pages.entrySet().iterator().next();
    write(file, eldest.getKey(), eldest.getValue());
    pages.remove(eldest.getKey());
    if (eldest.getKey() == lastOffset) {
      lastOffset = -1;
    }
  }

  private void write(Storage file, long offset, Page page) throws Qcow2Exception {
    if (page.dirty) {
      Bytes.write(file, offset, page.bytes);
      page.dirty = false;
      dirty--;
    }
  }

  /** Writes all changes. */
  void writeAll(Storage file) throws Qcow2Exception {
    if (dirty > 0) {
      for (Map.Entry<Long, Page> entry : pages.entrySet()) {
        write(file, entry.getKey(), entry.getValue());
      }
    }
  }

  /** Forgets everything, changes too. */
  void clear() {
    pages.clear();
    lastOffset = -1;
    dirty = 0;
  }
}
