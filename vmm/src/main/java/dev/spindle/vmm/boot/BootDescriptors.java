// SPDX-License-Identifier: Apache-2.0
package dev.spindle.vmm.boot;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The global descriptor table a kernel is entered with: flat code and data segments at the
 * selectors the Linux boot protocol asks for (0x10 and 0x18), and a task state segment.
 */
public final class BootDescriptors {
  /** Selector of the code segment (execute, read). */
  public static final int CODE_SELECTOR = 0x10;

  /** Selector of the data segment (read, write). */
  public static final int DATA_SELECTOR = 0x18;

  /** Selector of the task state segment. */
  public static final int TASK_SELECTOR = 0x20;

  /** Size of the table in bytes. */
  public static final int SIZE = 5 * Long.BYTES;

  private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final long FLAT_CODE_64 = 0x00AF_9B00_0000_FFFFL;
  private static final long FLAT_CODE_32 = 0x00CF_9B00_0000_FFFFL;
  private static final long FLAT_DATA = 0x00CF_9300_0000_FFFFL;
  private static final long TASK_STATE = 0x0000_8B00_0000_0067L;

  private BootDescriptors() {}

  /** Writes the table for 64-bit or 32-bit code to {@code table}, which has {@link #SIZE} bytes. */
  static void write(MemorySegment table, boolean code64) {
    table.fill((byte) 0);
    table.set(LE64, CODE_SELECTOR, code64 ? FLAT_CODE_64 : FLAT_CODE_32);
    table.set(LE64, DATA_SELECTOR, FLAT_DATA);
    table.set(LE64, TASK_SELECTOR, TASK_STATE);
  }
}
