// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import java.util.Arrays;

/**
 * Which bytes of a read a server has sent by now. It may send them in any order, but each once.
 * Made once and used again; allocates nothing as long as the pieces come in order.
 */
final class Coverage {
  /** Pieces with gaps between them; nobody reads a range in more of them out of order. */
  private static final int MOST_GAPS = 4096;

  /** Start and end of each piece, ascending, none touching the next. */
  private long[] bounds = new long[8];

  private int count;

  /** Begins anew: nothing is covered. */
  void clear() {
    count = 0;
  }

  /**
   * Notes a piece.
   *
   * @param end past its last byte, more than {@code start}
   * @return false if some of it has been sent before, or there are too many pieces to remember
   */
  boolean add(long start, long end) {
    int place = count;
    while (place > 0 && bounds[2 * place - 2] >= start) {
      place--;
    }
    // The piece before begins earlier, the piece at the place no earlier than this one.
    boolean overlapsBefore = place > 0 && bounds[2 * place - 1] > start;
    boolean overlapsAfter = place < count && bounds[2 * place] < end;
    if (overlapsBefore || overlapsAfter) {
      return false;
    }
    boolean touchesBefore = place > 0 && bounds[2 * place - 1] == start;
    boolean touchesAfter = place < count && bounds[2 * place] == end;
    if (touchesBefore && touchesAfter) {
      bounds[2 * place - 1] = bounds[2 * place + 1];
      remove(place);
    } else if (touchesBefore) {
      bounds[2 * place - 1] = end;
    } else if (touchesAfter) {
      bounds[2 * place] = start;
    } else {
      return insert(place, start, end);
    }
    return true;
  }

  private void remove(int place) {
    System.arraycopy(bounds, 2 * place + 2, bounds, 2 * place, 2 * (count - place - 1));
    count--;
  }

  private boolean insert(int place, long start, long end) {
    if (count == MOST_GAPS) {
      return false;
    }
    if (2 * count == bounds.length) {
      bounds = Arrays.copyOf(bounds, 2 * bounds.length);
    }
    System.arraycopy(bounds, 2 * place, bounds, 2 * place + 2, 2 * (count - place));
    bounds[2 * place] = start;
    bounds[2 * place + 1] = end;
    count++;
    return true;
  }

  /** Whether exactly a range is covered. */
  boolean isWhole(long start, long end) {
    return start == end ? count == 0 : count == 1 && bounds[0] == start && bounds[1] == end;
  }
}
