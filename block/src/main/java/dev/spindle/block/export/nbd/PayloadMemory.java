// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The memory for what one client's requests carry: page-aligned blocks, each of a power of two
 * pages, out of one mapping that takes up memory as it is used. That its size is fixed is what
 * limits a client: who finds no block waits until one comes back.
 *
 * <p>A buddy allocator, but blocks that come back are not joined before one is wanted that is not
 * there: in steady state, taking and giving back is one step each. Allocates nothing. For one
 * thread at a time.
 */
final class PayloadMemory implements AutoCloseable {
  static final int PAGE_SHIFT = 12;

  /** The largest block, and all of the memory: twice the largest payload. */
  private static final int ORDERS = 15;

  private static final int PAGES = 1 << (ORDERS - 1);

  /** The longest block that can be asked for, in bytes. */
  static final long LONGEST = (long) PAGES << PAGE_SHIFT;

  /** 2 MiB, which takes a fraction of a millisecond. */
  private static final int PAGES_RELEASED_AT_ONCE = 512;

  private static final int NONE = -1;
  private static final byte TAKEN = -1;

  private final Mapping mapping;

  /** Heads of lists by order: blocks that can be joined, and such as have just come back. */
  private final int[] free = new int[ORDERS];

  private final int[] returned = new int[ORDERS];

  /** Of the first page of a free or returned block: its neighbours in the list. */
  private final short[] next = new short[PAGES];

  private final short[] previous = new short[PAGES];

  /** Of the first page of a block in {@link #free}: its order; else {@link #TAKEN}. */
  private final byte[] freeOrder = new byte[PAGES];

  /** The first page that {@link #release} has not come to. */
  private int releasedTo;

  PayloadMemory() throws LinuxException {
    mapping = Mapping.anonymous(LONGEST);
    Arrays.fill(free, NONE);
    Arrays.fill(returned, NONE);
    Arrays.fill(freeOrder, TAKEN);
    push(0, ORDERS - 1);
  }

  /** The memory that offsets are in. */
  MemorySegment segment() {
    return mapping.segment();
  }

  /**
   * Takes a block.
   *
   * @param bytes 1 to {@link #LONGEST}
   * @return its offset in the memory, a multiple of the page size; negative if there is none now
   */
  long take(long bytes) {
    releasedTo = 0;
    int order = order(bytes);
    int page = returned[order];
    if (page != NONE) {
      returned[order] = next[page];
      return (long) page << PAGE_SHIFT;
    }
    page = split(order);
    if (page == NONE && joinReturned()) {
      page = split(order);
    }
    return page == NONE ? NONE : (long) page << PAGE_SHIFT;
  }

  /** Gives a block back that was taken for as many bytes. */
  void giveBack(long offset, long bytes) {
    int page = (int) (offset >>> PAGE_SHIFT);
    int order = order(bytes);
    next[page] = (short) returned[order];
    returned[order] = page;
  }

  /**
   * Has the kernel take back pages that no block is taken of, as many as may be in one go; what was
   * in them is gone. To be called until there are no more.
   *
   * @return whether there are more
   */
  boolean release() {
    joinReturned();
    int page = 0;
    while (page < PAGES) {
      int end = page + (freeOrder[page] == TAKEN ? 1 : 1 << freeOrder[page]);
      if (freeOrder[page] != TAKEN && end > releasedTo) {
        int first = Math.max(page, releasedTo);
        releasedTo = Math.min(end, first + PAGES_RELEASED_AT_ONCE);
        return release(first, releasedTo);
      }
      page = end;
    }
    return false;
  }

  private boolean release(int first, int end) {
    try {
      mapping.advise(
          Mapping.Advice.DONT_NEED, (long) first << PAGE_SHIFT, (long) (end - first) << PAGE_SHIFT);
      return true;
    } catch (LinuxException e) {
      // They stay for as long as the client does.
      return false;
    }
  }

  private static int order(long bytes) {
    long pages = (bytes + (1L << PAGE_SHIFT) - 1) >>> PAGE_SHIFT;
    return Long.SIZE - Long.numberOfLeadingZeros(pages - 1);
  }

  /** Cuts a block out of the smallest free one that holds it. */
  private int split(int order) {
    int from = order;
    while (from < ORDERS && free[from] == NONE) {
      from++;
    }
    if (from == ORDERS) {
      return NONE;
    }
    int page = free[from];
    remove(page, from);
    while (from > order) {
      from--;
      push(page + (1 << from), from);
    }
    return page;
  }

  private boolean joinReturned() {
    boolean any = false;
    for (int order = 0; order < ORDERS; order++) {
      while (returned[order] != NONE) {
        int page = returned[order];
        returned[order] = next[page];
        join(page, order);
        any = true;
      }
    }
    return any;
  }

  private void join(int page, int order) {
    int first = page;
    int joined = order;
    while (joined < ORDERS - 1) {
      int buddy = first ^ (1 << joined);
      if (freeOrder[buddy] != joined) {
        break;
      }
      remove(buddy, joined);
      first &= ~(1 << joined);
      joined++;
    }
    push(first, joined);
  }

  private void push(int page, int order) {
    int head = free[order];
    next[page] = (short) head;
    previous[page] = NONE;
    if (head != NONE) {
      previous[head] = (short) page;
    }
    free[order] = page;
    freeOrder[page] = (byte) order;
  }

  private void remove(int page, int order) {
    int after = next[page];
    int before = previous[page];
    if (before == NONE) {
      free[order] = after;
    } else {
      next[before] = (short) after;
    }
    if (after != NONE) {
      previous[after] = (short) before;
    }
    freeOrder[page] = TAKEN;
  }

  @Override
  public void close() {
    mapping.close();
  }
}
