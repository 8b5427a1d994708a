// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.SplitVirtqueue;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.blk.LeftBehind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * That of a split queue. What is read from the memory may be anything, and is checked by those who
 * use it.
 */
final class InflightLog implements RequestLog {
  private static final int VERSION = 1;
  private static final long FEATURES = 0;
  private static final long VERSION_AT = 8;
  private static final long SIZE_AT = 10;
  private static final long LAST_BATCH_AT = 12;
  private static final long USED_INDEX_AT = 14;
  private static final long ENTRIES = 16;
  private static final long ENTRY_BYTES = 16;
  private static final long NEXT_AT = 6;
  private static final long COUNTER_AT = 8;
  private static final long ALIGNMENT = 64;

  private final MemorySegment memory;
  private final int size;
  private final SplitVirtqueue ring;
  private long counter;

  /** Heads given back since the last {@link #published}. */
  private final int[] batch;

  private int batchCount;

  /**
   * Opens a queue's part of the memory.
   *
   * @param memory as large as {@link #bytes} says
   * @param size descriptors in the queue
   */
  InflightLog(MemorySegment memory, int size, SplitVirtqueue ring) {
    this.memory = memory;
    this.size = size;
    this.ring = ring;
    this.batch = new int[size];
  }

  /** How much memory a queue takes. */
  static long bytes(int size) {
    return (ENTRIES + ENTRY_BYTES * size + ALIGNMENT - 1) & -ALIGNMENT;
  }

  /**
   * Finds what the back end before has left.
   *
   * @return what it has taken and not given back
   */
  LeftBehind recover() {
    int usedIndex = ring.usedIndex();
    if (shortAt(VERSION_AT) == 0) {
      memory.set(ValueLayout.JAVA_LONG, FEATURES, 0);
      setShort(VERSION_AT, VERSION);
      setShort(SIZE_AT, size);
      setShort(LAST_BATCH_AT, 0);
      setShort(USED_INDEX_AT, usedIndex);
      return LeftBehind.NONE;
    }
    // The last batch was published and not struck out.
    int published = (usedIndex - shortAt(USED_INDEX_AT)) & 0xffff;
    int head = shortAt(LAST_BATCH_AT);
    for (int i = 0; i < Math.min(published, size) && head < size; i++) {
      setInFlight(head, false);
      head = shortAt(entry(head) + NEXT_AT);
    }
    setShort(USED_INDEX_AT, usedIndex);
    int[] left =
        IntStream.range(0, size)
            .filter(this::isInFlight)
            .boxed()
            .sorted(Comparator.comparingLong(this::counterOf))
            .mapToInt(Integer::intValue)
            .toArray();
    counter = left.length == 0 ? 0 : counterOf(left[left.length - 1]) + 1;
    return new LeftBehind() {
      @Override
      public int count() {
        return left.length;
      }

      @Override
      public void retake(int number, DescriptorChain chain) throws VirtqueueException {
        ring.retake(chain, left[number]);
      }
    };
  }

  @Override
  public void taken(DescriptorChain chain) {
    int head = chain.id();
    memory.set(ValueLayout.JAVA_LONG, entry(head) + COUNTER_AT, counter++);
    setInFlight(head, true);
  }

  @Override
  public void finished(DescriptorChain chain) {
    int head = chain.id();
    setShort(entry(head) + NEXT_AT, shortAt(LAST_BATCH_AT));
    setShort(LAST_BATCH_AT, head);
    if (batchCount < batch.length) {
      batch[batchCount++] = head;
    }
  }

  @Override
  public void published() {
    // The index in the used ring comes first; x86 keeps the order of stores, and so shall Java.
    VarHandle.releaseFence();
    for (int i = 0; i < batchCount; i++) {
      setInFlight(batch[i], false);
    }
    batchCount = 0;
    VarHandle.releaseFence();
    setShort(USED_INDEX_AT, ring.usedIndex());
  }

  private static long entry(int head) {
    return ENTRIES + ENTRY_BYTES * head;
  }

  private boolean isInFlight(int head) {
    return memory.get(ValueLayout.JAVA_BYTE, entry(head)) == 1;
  }

  private long counterOf(int head) {
    return memory.get(ValueLayout.JAVA_LONG, entry(head) + COUNTER_AT);
  }

  private void setInFlight(int head, boolean is) {
    VarHandle.releaseFence();
    memory.set(ValueLayout.JAVA_BYTE, entry(head), (byte) (is ? 1 : 0));
  }

  private int shortAt(long at) {
    return Short.toUnsignedInt((short) RingFormat.SHORT.getOpaque(memory, at));
  }

  private void setShort(long at, int value) {
    RingFormat.SHORT.setOpaque(memory, at, (short) value);
  }
}
