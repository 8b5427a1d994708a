// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * A piece of an L2 table in memory. Its words are changed under the image's lock and read by any
 * thread; what belongs to one entry is read together ({@link #version}).
 */
final class L2Slice {
  /** Which piece of the image it stands for. */
  final long index;

  private final AtomicLongArray words;
  private final int wordsOrder;

  /** Odd while an entry is changed. */
  private volatile int version;

  /** Whether it has changes that are not in the file: the cache's. Under the image's lock. */
  boolean dirty;

  /** Whether somebody has looked at it lately. A hint: written by any thread, without order. */
  boolean used = true;

  L2Slice(long index, long[] words, int wordsOrder) {
    this.index = index;
    this.words = new AtomicLongArray(words);
    this.wordsOrder = wordsOrder;
  }

  /** Entries in it. */
  int entries() {
    return words.length() >> wordsOrder;
  }

  /** The first word of an entry. Any thread. */
  long descriptor(int entry) {
    return words.getAcquire(entry << wordsOrder);
  }

  /** The second word of an extended entry. Any thread. */
  long bitmap(int entry) {
    return words.getAcquire((entry << wordsOrder) + 1);
  }

  /** What to compare with after reading the words of an entry, which are no good if it is odd. */
  int version() {
    return version;
  }

  /** Changes an entry. Under the image's lock. */
  void set(int entry, long descriptor, long bitmap) {
    int before = version;
    version = before + 1;
    words.set(entry << wordsOrder, descriptor);
    if (wordsOrder > 0) {
      words.set((entry << wordsOrder) + 1, bitmap);
    }
    version = before + 2;
  }

  /** A copy of all words. Under the image's lock. */
  long[] words() {
    long[] copy = new long[words.length()];
    for (int i = 0; i < copy.length; i++) {
      copy[i] = words.getPlain(i);
    }
    return copy;
  }
}
