// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import dev.spindle.linux.Errno;
import dev.spindle.linux.Fd;
import dev.spindle.linux.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory registered with one ring (the kernel's <em>registered buffers</em>), and the way from
 * an address to its entry. The kernel takes at most 1 GiB an entry, so that a segment takes as many
 * entries in a row as it needs.
 *
 * <p>Made for few, long segments: looking one up compares the address with each of them. Owner
 * thread only; only registering allocates.
 */
final class RegisteredMemory {
  /** How long an entry is, as a power of two: the kernel's limit for one buffer. */
  static final int ENTRY_SHIFT = 30;

  /** Entries, of the 16384 that the kernel would give: enough for 1 TiB. */
  static final int ENTRIES = 1 << 10;

  /** The most segments. */
  static final int SEGMENTS = 16;

  private static final long ENTRY_BYTES = 1L << ENTRY_SHIFT;

  private final ResourceTable table;

  /** By handle. A handle that is not in use has length 0, so that nothing lies inside it. */
  private final long[] addresses = new long[SEGMENTS];

  private final long[] lengths = new long[SEGMENTS];
  private final int[] firstEntries = new int[SEGMENTS];

  /** All handles in use are below this. */
  private int limit;

  RegisteredMemory(Fd ring) {
    this.table = new ResourceTable(ring, ResourceTable.Kind.BUFFERS, ENTRIES);
  }

  /** Registers a segment as {@link IoUring#registerMemory} says. */
  int register(MemorySegment memory) {
    long length = memory.byteSize();
    if (!memory.isNative() || length == 0) {
      throw new IllegalArgumentException("no native memory: " + memory);
    }
    int handle = freeHandle();
    int first = table.findFree(entries(length));
    if (handle < 0 || first < 0) {
      return -Errno.ENOSPC;
    }
    int refused = fill(first, memory);
    if (refused < 0) {
      return refused;
    }
    addresses[handle] = memory.address();
    lengths[handle] = length;
    firstEntries[handle] = first;
    limit = Math.max(limit, handle + 1);
    return handle;
  }

  /** Ends a registration. */
  void unregister(int handle) {
    if (lengths[handle] == 0) {
      throw new IllegalArgumentException("no memory is registered as " + handle);
    }
    empty(firstEntries[handle], entries(lengths[handle]));
    lengths[handle] = 0;
    while (limit > 0 && lengths[limit - 1] == 0) {
      limit--;
    }
  }

  /**
   * Returns the entry that a buffer lies wholly inside of, or -1 if there is none.
   *
   * @param length bytes, at least 1
   */
  int entryOf(long address, long length) {
    for (int i = 0; i < limit; i++) {
      long offset = address - addresses[i];
      if (offset >= 0 && length <= lengths[i] - offset) {
        long entry = offset >>> ENTRY_SHIFT;
        boolean whole = entry == (offset + length - 1) >>> ENTRY_SHIFT;
        return whole ? firstEntries[i] + (int) entry : -1;
      }
    }
    return -1;
  }

  private int freeHandle() {
    for (int i = 0; i < SEGMENTS; i++) {
      if (lengths[i] == 0) {
        return i;
      }
    }
    return -1;
  }

  private static long entries(long length) {
    return (length + ENTRY_BYTES - 1) >>> ENTRY_SHIFT;
  }

  /** Fills as many entries as the segment needs: all of them, or none. */
  private int fill(int first, MemorySegment memory) {
    long length = memory.byteSize();
    for (int i = 0; i < entries(length); i++) {
      long offset = (long) i << ENTRY_SHIFT;
      try (Arena scratch = Arena.ofConfined()) {
        IoVector buffer = new IoVector(1, scratch);
        buffer.add(memory, offset, Math.min(length - offset, ENTRY_BYTES));
        int refused = table.fill(first + i, buffer.array());
        if (refused < 0) {
          empty(first, i);
          return refused;
        }
      }
    }
    return 0;
  }

  private void empty(int first, long count) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment none = new IoVector(1, scratch).array();
      for (int i = 0; i < count; i++) {
        table.empty(first + i, none);
      }
    }
  }
}
