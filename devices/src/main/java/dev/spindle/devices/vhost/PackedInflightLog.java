// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.virtio.DescriptorChain;
import dev.spindle.devices.virtio.PackedVirtqueue;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.VirtqueueException;
import dev.spindle.devices.virtio.VirtqueueState;
import dev.spindle.devices.virtio.blk.LeftBehind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * That of a packed queue. Whoever gives a buffer back may write over descriptors of others that are
 * still under way, so the log has a copy of each. While a queue works, nothing is read from the
 * memory: it may be anything. A new back end reads it once, and makes the list of free entries
 * anew.
 */
final class PackedInflightLog implements RequestLog {
  private static final int VERSION = 1;
  private static final long VERSION_AT = 8;
  private static final long SIZE_AT = 10;
  private static final long FREE_AT = 12;
  private static final long OLD_FREE_AT = 14;

  /** The used index, its former value, then the wrap counters of both, in a byte each. */
  private static final long PLACES_AT = 16;

  private static final long ENTRIES = 32;
  private static final long ENTRY_BYTES = 32;
  private static final long NEXT_AT = 2;
  private static final long LAST_AT = 4;
  private static final long COUNT_AT = 6;
  private static final long COUNTER_AT = 8;

  /** Buffer id, flags and length, from the low end on. */
  private static final long WORD_AT = 16;

  private static final long ADDRESS_AT = 24;
  private static final long ALIGNMENT = 64;
  private static final int BUFFER_IDS = 1 << 16;
  private static final int NONE = -1;

  private final MemorySegment memory;
  private final int size;
  private final PackedVirtqueue ring;
  private long counter;

  /** By buffer id: the first entry of a request under way. */
  private final short[] headOf = new short[BUFFER_IDS];

  /** By entry: the next one of its request, or of those that are free. */
  private final int[] next;

  /** By first entry. */
  private final int[] last;

  private final int[] count;

  /** The first free entry; {@link #NONE} if all are taken. */
  private int free;

  /** First entries of what has been finished since the last {@link #published}. */
  private final int[] batch;

  private int batchCount;

  /** The next slot that is given back, and the one that was next at the last {@link #published}. */
  private int used;

  private boolean usedWrap;
  private int oldUsed;
  private boolean oldUsedWrap;

  /**
   * Opens a queue's part of the memory.
   *
   * @param memory as large as {@link #bytes} says
   * @param size descriptors in the queue
   * @param ring just made
   */
  PackedInflightLog(MemorySegment memory, int size, PackedVirtqueue ring) {
    this.memory = memory;
    this.size = size;
    this.ring = ring;
    this.next = new int[size];
    this.last = new int[size];
    this.count = new int[size];
    this.batch = new int[size];
  }

  /** How much memory a queue takes. */
  static long bytes(int size) {
    return (ENTRIES + Long.BYTES + ENTRY_BYTES * size + ALIGNMENT - 1) & -ALIGNMENT;
  }

  /**
   * Finds what the back end before has left, and has the ring go on there.
   *
   * @param begin where the ring is if there was none before
   * @return what it has taken and not given back
   * @throws VhostUserException if that cannot be
   */
  LeftBehind recover(VirtqueueState begin) throws VhostUserException {
    List<Integer> left = new ArrayList<>();
    boolean[] taken = new boolean[size];
    int slots = 0;
    if (shortAt(VERSION_AT) == 0) {
      used = begin.usedIndex();
      usedWrap = begin.usedWrap();
      for (int head = 0; head < size; head++) {
        setInFlight(head, false);
      }
    } else {
      readPlaces();
      for (int head = 0; head < size; head++) {
        if (memory.get(ValueLayout.JAVA_BYTE, entry(head)) == 1) {
          slots += readRequest(head, taken);
          left.add(head);
        }
      }
      left.sort(Comparator.comparingLong(this::counterOf));
      counter = left.isEmpty() ? 0 : counterOf(left.getLast()) + 1;
    }
    oldUsed = used;
    oldUsedWrap = usedWrap;
    listFree(taken);
    writePlaces();
    setShort(SIZE_AT, size);
    VarHandle.releaseFence();
    setShort(VERSION_AT, VERSION);
    int avail = used + slots;
    boolean over = avail >= size;
    ring.resume(new VirtqueueState(over ? avail - size : avail, usedWrap != over, used, usedWrap));
    return new Left(left);
  }

  /** Where giving back goes on: behind the last batch if that was published, else before it. */
  private void readPlaces() throws VhostUserException {
    long places = memory.get(ValueLayout.JAVA_LONG, PLACES_AT);
    int now = (int) places & 0xffff;
    int before = (int) (places >>> 16) & 0xffff;
    int wrapNow = (int) (places >>> 32) & 0xff;
    int wrapBefore = (int) (places >>> 40) & 0xff;
    if (shortAt(SIZE_AT) != size || now >= size || before >= size || (wrapNow | wrapBefore) > 1) {
      throw broken();
    }
    boolean pending = now != before || wrapNow != wrapBefore;
    boolean published = pending && ring.isUsed(before, wrapBefore == 1);
    if (published) {
      strikeOut();
    }
    used = pending && !published ? before : now;
    usedWrap = (pending && !published ? wrapBefore : wrapNow) == 1;
  }

  /** The last batch was published and not struck out: it is what has been freed last. */
  private void strikeOut() {
    int end = shortAt(OLD_FREE_AT);
    int entry = shortAt(FREE_AT);
    for (int i = 0; i < size && entry != end && entry < size; i++) {
      setInFlight(entry, false);
      entry = shortAt(entry(entry) + NEXT_AT);
    }
  }

  private int readRequest(int head, boolean[] taken) throws VhostUserException {
    int entries = shortAt(entry(head) + COUNT_AT);
    if (entries < 1) {
      throw broken();
    }
    int at = head;
    for (int i = 0; i < entries; i++) {
      if (at >= size || taken[at]) {
        throw broken();
      }
      taken[at] = true;
      last[head] = at;
      next[at] = shortAt(entry(at) + NEXT_AT);
      at = next[at];
    }
    count[head] = entries;
    return entries;
  }

  private static VhostUserException broken() {
    return new VhostUserException("the memory for requests in flight has been written over");
  }

  private void listFree(boolean[] taken) {
    free = NONE;
    for (int entry = size - 1; entry >= 0; entry--) {
      if (!taken[entry]) {
        setNext(entry, free);
        free = entry;
      }
    }
    setShort(FREE_AT, free);
    setShort(OLD_FREE_AT, free);
  }

  @Override
  public void taken(DescriptorChain chain) {
    int slots = chain.ringSlots();
    int slot = ring.firstSlot(chain);
    int head = free;
    int at = NONE;
    for (int i = 0; i < slots; i++) {
      at = free;
      free = next[at];
      copy(slot, at);
      slot = slot + 1 == size ? 0 : slot + 1;
    }
    headOf[chain.id()] = (short) head;
    last[head] = at;
    count[head] = slots;
    long entry = entry(head);
    setShort(entry + LAST_AT, at);
    setShort(entry + COUNT_AT, slots);
    memory.set(ValueLayout.JAVA_LONG, entry + COUNTER_AT, counter++);
    setInFlight(head, true);
    VarHandle.releaseFence();
    if (batchCount == 0) {
      setShort(FREE_AT, free);
    } else {
      // What has been finished comes before it.
      setNext(last[batch[0]], free);
    }
    setShort(OLD_FREE_AT, free);
  }

  private void copy(int slot, int at) {
    long word = ring.wordAt(slot);
    memory.set(ValueLayout.JAVA_LONG, entry(at) + ADDRESS_AT, ring.addressAt(slot));
    memory.set(ValueLayout.JAVA_LONG, entry(at) + WORD_AT, word >>> 32 | word << 32);
  }

  @Override
  public void finished(DescriptorChain chain) {
    int head = Short.toUnsignedInt(headOf[chain.id()]);
    setNext(last[head], batchCount == 0 ? free : batch[batchCount - 1]);
    batch[batchCount++] = head;
    used += count[head];
    if (used >= size) {
      used -= size;
      usedWrap = !usedWrap;
    }
    setShort(FREE_AT, head);
    VarHandle.releaseFence();
    writePlaces();
  }

  @Override
  public void published() {
    if (batchCount == 0) {
      return;
    }
    // What is in the ring comes first.
    VarHandle.releaseFence();
    for (int i = 0; i < batchCount; i++) {
      setInFlight(batch[i], false);
    }
    free = batch[batchCount - 1];
    batchCount = 0;
    oldUsed = used;
    oldUsedWrap = usedWrap;
    VarHandle.releaseFence();
    writePlaces();
    setShort(OLD_FREE_AT, free);
  }

  /** At one stroke. */
  private void writePlaces() {
    long wraps = (usedWrap ? 1L : 0) | (oldUsedWrap ? 1L << 8 : 0);
    RingFormat.LONG.setOpaque(memory, PLACES_AT, wraps << 32 | (long) oldUsed << 16 | used);
  }

  /** What was left behind, by first entry. */
  private final class Left implements LeftBehind {
    private final List<Integer> heads;

    Left(List<Integer> heads) {
      this.heads = heads;
    }

    @Override
    public int count() {
      return heads.size();
    }

    @Override
    public void retake(int number, DescriptorChain chain) throws VirtqueueException {
      int head = heads.get(number);
      ring.retake(chain, new Request(head));
      headOf[chain.id()] = (short) head;
    }
  }

  private final class Request implements PackedVirtqueue.Taken {
    private final int head;

    Request(int head) {
      this.head = head;
    }

    private long at(int number) {
      int entry = head;
      for (int i = 0; i < number; i++) {
        entry = next[entry];
      }
      return entry(entry);
    }

    @Override
    public int slots() {
      return count[head];
    }

    @Override
    public long address(int number) {
      return memory.get(ValueLayout.JAVA_LONG, at(number) + ADDRESS_AT);
    }

    @Override
    public long word(int number) {
      long word = memory.get(ValueLayout.JAVA_LONG, at(number) + WORD_AT);
      return word >>> 32 | word << 32;
    }
  }

  private static long entry(int number) {
    return ENTRIES + ENTRY_BYTES * number;
  }

  private long counterOf(int head) {
    return memory.get(ValueLayout.JAVA_LONG, entry(head) + COUNTER_AT);
  }

  private void setInFlight(int head, boolean is) {
    VarHandle.releaseFence();
    memory.set(ValueLayout.JAVA_BYTE, entry(head), (byte) (is ? 1 : 0));
  }

  private void setNext(int at, int following) {
    next[at] = following;
    setShort(entry(at) + NEXT_AT, following);
  }

  private int shortAt(long at) {
    return Short.toUnsignedInt((short) RingFormat.SHORT.getOpaque(memory, at));
  }

  private void setShort(long at, int value) {
    RingFormat.SHORT.setOpaque(memory, at, (short) value);
  }
}
