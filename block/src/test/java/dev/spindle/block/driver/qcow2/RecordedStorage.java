// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;

/** A file in memory that remembers what reached it, in order, to make up what a crash leaves. */
final class RecordedStorage extends MemoryStorage {
  private static final int SECTOR = 512;

  /** A write, or a flush if it has no bytes. */
  record Step(long offset, byte[] bytes) {
    boolean isFlush() {
      return bytes.length == 0;
    }
  }

  private final byte[] start;
  private final List<Step> steps = new ArrayList<>();

  RecordedStorage(byte[] contents) {
    super(contents);
    this.start = contents.clone();
  }

  int steps() {
    return steps.size();
  }

  @Override
  void put(long offset, byte[] source) throws Qcow2Exception {
    super.put(offset, source);
    if (source.length > 0) {
      steps.add(new Step(offset, source.clone()));
    }
  }

  @Override
  public void flush() {
    steps.add(new Step(0, new byte[0]));
  }

  /**
   * The file after a crash: all that was flushed by then, and of what was written since, some.
   *
   * @param count steps that had been taken
   * @param random chooses sectors of what was not flushed; null for all of them
   */
  MemoryStorage after(int count, Random random) throws Qcow2Exception {
    int flushed = 0;
    for (int i = 0; i < count; i++) {
      flushed = steps.get(i).isFlush() ? i : flushed;
    }
    MemoryStorage left = new MemoryStorage(start);
    for (int i = 0; i < count; i++) {
      Step step = steps.get(i);
      if (random == null || i < flushed) {
        left.put(step.offset, step.bytes);
      } else {
        putSome(left, step, random);
      }
    }
    return left;
  }

  private static void putSome(MemoryStorage left, Step step, Random random) throws Qcow2Exception {
    int mode = random.nextInt(3);
    BitSet chosen = new BitSet();
    int sectors =
        (int) ((step.offset + step.bytes.length + SECTOR - 1) / SECTOR - step.offset / SECTOR);
    for (int i = 0; i < sectors; i++) {
      chosen.set(i, mode == 0 || (mode == 1 && random.nextBoolean()));
    }
    long base = step.offset / SECTOR * SECTOR;
    for (int i = chosen.nextSetBit(0); i >= 0; i = chosen.nextSetBit(i + 1)) {
      long from = Math.max(step.offset, base + (long) i * SECTOR);
      long to = Math.min(step.offset + step.bytes.length, base + (i + 1L) * SECTOR);
      byte[] part = new byte[(int) (to - from)];
      System.arraycopy(step.bytes, (int) (from - step.offset), part, 0, part.length);
      left.put(from, part);
    }
  }
}
