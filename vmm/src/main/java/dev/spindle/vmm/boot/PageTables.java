// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Page tables that map the first 4 GiB of addresses to themselves, in pages of 2 MiB. */
final class PageTables {
  private static final int PAGE = 4096;
  private static final int ENTRIES = 512;
  private static final int DIRECTORIES = 4;
  private static final long PRESENT_WRITABLE = 0b11;
  private static final long LARGE_PAGE = 1 << 7;
  private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED;

  /** How much memory the tables take, in bytes. */
  static final int SIZE = (2 + DIRECTORIES) * PAGE;

  private PageTables() {}

  /** Writes the tables to {@code tables}, which lies at guest-physical address {@code address}. */
  static void write(MemorySegment tables, long address) {
    tables.fill((byte) 0);
    tables.set(LE64, 0, address + PAGE | PRESENT_WRITABLE);
    for (int directory = 0; directory < DIRECTORIES; directory++) {
      long offset = (2L + directory) * PAGE;
      tables.set(LE64, PAGE + directory * 8L, address + offset | PRESENT_WRITABLE);
      for (int entry = 0; entry < ENTRIES; entry++) {
        long page = ((long) directory * ENTRIES + entry) << 21;
        tables.set(LE64, offset + entry * 8L, page | LARGE_PAGE | PRESENT_WRITABLE);
      }
    }
  }
}
