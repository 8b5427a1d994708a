// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A fixed number of bits in words of 64, and above them levels that tell which words of the level
 * below are not zero, up to a single word. It takes an eighth of a byte for each bit, and less than
 * a sixty-third more.
 *
 * <p><b>Threads.</b> No lock; every word is read and changed atomically, in one order for all
 * threads. Any thread may call {@link #set} at any time. What {@code set} did when it returned,
 * every later call finds, whatever else ran meanwhile, but for one case: a search that overlaps a
 * {@link #clear} by another thread may miss a bit that was set during that {@code clear}. So
 * searching and clearing belong to one party at a time, while any number of threads set.
 *
 * <p><b>Why that holds.</b> What is never broken, once calls have returned, is that all bits above
 * a word that is not zero are set. {@code set} writes a word first and looks at the bit above it
 * afterwards; {@code clear} takes the bit above an emptied word away first and looks at the word
 * again afterwards. At least one of them sees what the other did, and sets the bit. The converse
 * does not hold: a bit above may stay set over a word of zeroes, which searches pass over.
 */
final class BitTree {
  /** Longest array that every JVM has. */
  static final long MOST_WORDS = Integer.MAX_VALUE - 8;

  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final long size;

  /** The bits themselves first, a single word last. */
  private final long[][] levels;

  /** Bits that are 1. Any thread, with each bit that changes. */
  private final AtomicLong count = new AtomicLong();

  /** Makes room for at most 64 × {@link #MOST_WORDS} bits, all of them 0. */
  BitTree(long size) {
    this.size = size;
    int height = 1;
    for (long words = words(size); words > 1; words = words(words)) {
      height++;
    }
    this.levels = new long[height][];
    long bits = size;
    for (int level = 0; level < height; level++) {
      levels[level] = new long[(int) words(bits)];
      bits = levels[level].length;
    }
  }

  /** Words for so many bits; one at least. */
  static long words(long bits) {
    return Math.max(1, (bits >>> 6) + ((bits & 63) == 0 ? 0 : 1));
  }

  long size() {
    return size;
  }

  /** How many bits are 1; those that other threads are just changing may be missing. */
  long count() {
    return Math.max(0, count.get());
  }

  boolean get(long bit) {
    return (read(levels[0], (int) (bit >>> 6)) >>> bit & 1) != 0;
  }

  /** 64 bits at once, the first one lowest. */
  long word(int index) {
    return read(levels[0], index);
  }

  /** Sets the bits of {@code mask} in a word. */
  void orWord(int index, long mask) {
    if (mask != 0) {
      raise(0, index, mask);
    }
  }

  /** Sets the bits from {@code first} to {@code last}, both included. */
  void set(long first, long last) {
    long added = 0;
    int firstWord = (int) (first >>> 6);
    int lastWord = (int) (last >>> 6);
    for (int i = firstWord; i <= lastWord; i++) {
      added += or(levels[0], i, mask(i, first, last));
    }
    if (added != 0) {
      count.getAndAdd(added);
    }
    // Even if no bit is new: whoever set it may not have come to the levels above yet.
    for (int level = 1; level < levels.length; level++) {
      int from = firstWord;
      int to = lastWord;
      firstWord >>>= 6;
      lastWord >>>= 6;
      for (int i = firstWord; i <= lastWord; i++) {
        or(levels[level], i, mask(i, from, to));
      }
    }
  }

  /** Clears the bits from {@code first} to {@code last}, both included. */
  void clear(long first, long last) {
    long removed = 0;
    int lastWord = (int) (last >>> 6);
    for (int i = nextWord((int) (first >>> 6)); i >= 0 && i <= lastWord; i = nextWord(i + 1)) {
      long mask = mask(i, first, last);
      long before = (long) WORD.getAndBitwiseAnd(levels[0], i, ~mask);
      removed += Long.bitCount(before & mask);
      if ((before & ~mask) == 0) {
        lower(0, i);
      }
    }
    if (removed != 0) {
      count.getAndAdd(-removed);
    }
  }

  /** The first bit from {@code from} on that is 1, or -1. */
  long nextSet(long from) {
    return from < size ? nextSet(0, from) : -1;
  }

  /** The first bit from {@code from} on, but below {@code end}, that is 0, or -1. */
  long nextClear(long from, long end) {
    if (from >= end) {
      return -1;
    }
    int last = (int) ((end - 1) >>> 6);
    int index = (int) (from >>> 6);
    long zeroes = ~read(levels[0], index) & -1L << from;
    while (zeroes == 0) {
      if (++index > last) {
        return -1;
      }
      zeroes = ~read(levels[0], index);
    }
    long bit = ((long) index << 6) + Long.numberOfTrailingZeros(zeroes);
    return bit < end ? bit : -1;
  }

  /** The first word from {@code from} on that may hold a bit, or -1. */
  int nextWord(int from) {
    if (levels.length == 1) {
      return from == 0 ? 0 : -1;
    }
    return (int) nextSet(1, from);
  }

  private long nextSet(int level, long from) {
    long[] words = levels[level];
    int index = (int) (from >>> 6);
    if (index >= words.length) {
      return -1;
    }
    long ones = read(words, index) & -1L << from;
    while (ones == 0) {
      if (level == levels.length - 1) {
        return -1;
      }
      index = (int) nextSet(level + 1, index + 1);
      if (index < 0) {
        return -1;
      }
      ones = read(words, index);
    }
    return ((long) index << 6) + Long.numberOfTrailingZeros(ones);
  }

  /** Sets bits of one word, and those above it. */
  private void raise(int level, int index, long mask) {
    long added = or(levels[level], index, mask);
    if (level == 0 && added != 0) {
      count.getAndAdd(added);
    }
    int below = index;
    for (int above = level + 1; above < levels.length; above++) {
      or(levels[above], below >>> 6, 1L << below);
      below >>>= 6;
    }
  }

  /** A word was seen to be zero: clears the bit above it, and so on upwards. */
  private void lower(int level, int index) {
    int emptied = index;
    for (int above = level + 1; above < levels.length; above++) {
      long bit = 1L << emptied;
      long before = (long) WORD.getAndBitwiseAnd(levels[above], emptied >>> 6, ~bit);
      if (read(levels[above - 1], emptied) != 0) {
        // Set anew meanwhile, by someone who may have seen the bit above before it went.
        raise(above, emptied >>> 6, bit);
        return;
      }
      if ((before & ~bit) != 0) {
        return;
      }
      emptied >>>= 6;
    }
  }

  /** The bits of word {@code index} that lie from {@code first} to {@code last}. */
  private static long mask(int index, long first, long last) {
    long mask = -1;
    if (index == (int) (first >>> 6)) {
      mask &= -1L << first;
    }
    if (index == (int) (last >>> 6)) {
      mask &= -1L >>> ~last;
    }
    return mask;
  }

  private static long read(long[] words, int index) {
    return (long) WORD.getVolatile(words, index);
  }

  /** Returns how many bits were not set before; those that are cost no write. */
  private static int or(long[] words, int index, long mask) {
    if ((read(words, index) & mask) == mask) {
      return 0;
    }
    long before = (long) WORD.getAndBitwiseOr(words, index, mask);
    return Long.bitCount(mask & ~before);
  }
}
