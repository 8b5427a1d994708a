// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.linux.Mapping;

/**
 * Which pages of guest memory have been written, one bit for each, in memory shared with a front
 * end that migrates its guest (vhost-user specification, section "Migration"). Any thread; nothing
 * allocates or waits.
 */
final class DirtyLog implements AutoCloseable {
  private static final int PAGE_SHIFT = 12;

  private final Mapping mapping;

  /** Where the first page's bit is, counted from the start of the mapping. */
  private final long firstBit;

  private final long pages;

  /**
   * Opens a log.
   *
   * @param offset where the log begins in the mapping, in bytes
   * @param bytes its size; all of it in the mapping
   */
  DirtyLog(Mapping mapping, long offset, long bytes) {
    this.mapping = mapping;
    this.firstBit = 8 * offset;
    this.pages = 8 * bytes;
  }

  /**
   * Notes that a range of guest-physical addresses has been written; what is past the log is not.
   */
  void mark(long address, long length) {
    if (length <= 0 || address < 0) {
      return;
    }
    long last = Math.min((address + length - 1) >>> PAGE_SHIFT, pages - 1);
    for (long page = address >>> PAGE_SHIFT; page <= last; page++) {
      long bit = firstBit + page;
      long word = (bit >>> 5) << 2;
      int mask = 1 << (bit & 31);
      // Most pages of a busy guest are marked already, and a locked write costs much more.
      if (((int) RingFormat.INT.getVolatile(mapping.segment(), word) & mask) == 0) {
        RingFormat.INT.getAndBitwiseOr(mapping.segment(), word, mask);
      }
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
