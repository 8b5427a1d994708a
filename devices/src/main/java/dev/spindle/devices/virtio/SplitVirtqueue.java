// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;
import static dev.spindle.devices.virtio.RingFormat.INDIRECT;
import static dev.spindle.devices.virtio.RingFormat.INT;
import static dev.spindle.devices.virtio.RingFormat.LONG;
import static dev.spindle.devices.virtio.RingFormat.NEXT;
import static dev.spindle.devices.virtio.RingFormat.NO_NOTIFICATIONS;
import static dev.spindle.devices.virtio.RingFormat.RING_ENTRIES;
import static dev.spindle.devices.virtio.RingFormat.RING_INDEX;
import static dev.spindle.devices.virtio.RingFormat.SHORT;
import static dev.spindle.devices.virtio.RingFormat.WRITE;

import dev.spindle.devices.memory.DeviceMemory;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The device's side of a split virtqueue (virtio 1.3, section 2.7). */
public final class SplitVirtqueue extends Virtqueue {
  private final MemorySegment descriptors;
  private final MemorySegment available;
  private final MemorySegment used;
  private final int mask;
  private final long usedEvent;
  private final long availEvent;

  /** Heads popped and not yet pushed, one bit each. */
  private final long[] headsInFlight;

  private int inFlight;

  /** Next entry of the available ring to take, modulo 2^16. */
  private int nextAvail;

  /** The driver's index as last read: entries up to it need no further look at guest memory. */
  private int knownAvail;

  /** Index in the used ring as last published, modulo 2^16. */
  private int usedIndex;

  /** Entries written behind usedIndex and not yet published. */
  private int unpublished;

  SplitVirtqueue(DeviceMemory memory, VirtqueueConfig config, long features)
      throws VirtqueueException {
    super(memory, config, features);
    if (size < 1 || size > VirtqueueConfig.MAX_SIZE || Integer.bitCount(size) != 1) {
      throw badSize(config);
    }
    mask = size - 1;
    descriptors =
        area(
            memory,
            index,
            "the descriptor table",
            config.descriptorArea(),
            (long) DESCRIPTOR_SIZE * size,
            16);
    available =
        area(
            memory,
            index,
            "the available ring",
            config.driverArea(),
            RingFormat.availSize(size),
            2);
    used = area(memory, index, "the used ring", config.deviceArea(), RingFormat.usedSize(size), 4);
    usedEvent = RingFormat.usedEvent(size);
    availEvent = RingFormat.availEvent(size);
    headsInFlight = new long[(size + 63) / 64];
  }

  @Override
  public boolean hasAvailable() {
    return !isBroken()
        && (nextAvail != knownAvail
            || (short) SHORT.getOpaque(available, RING_INDEX) != (short) nextAvail);
  }

  @Override
  public boolean pop(DescriptorChain chain) throws VirtqueueException {
    chain.begin(memory);
    if (isBroken() || (nextAvail == knownAvail && !readAvailIndex(chain))) {
      return false;
    }
    // A driver that keeps to the rules has no further descriptor to offer before it sees what is
    // used.
    if (inFlight + unpublished >= size) {
      throw fault(
          chain, VirtqueueFault.TOO_MANY_IN_FLIGHT, "more than " + size + " buffers are in flight");
    }
    long entry = RING_ENTRIES + 2L * (nextAvail & mask);
    take(chain, Short.toUnsignedInt((short) SHORT.getOpaque(available, entry)));
    nextAvail = (nextAvail + 1) & 0xffff;
    return true;
  }

  private void take(DescriptorChain chain, int head) throws VirtqueueException {
    checkIndex(chain, head, size, "head");
    long bit = 1L << head;
    if ((headsInFlight[head >> 6] & bit) != 0) {
      throw fault(
          chain,
          VirtqueueFault.BUFFER_IN_FLIGHT,
          "head " + head + " is made available again while in flight");
    }
    walk(chain, head);
    finish(chain, head, 0);
    headsInFlight[head >> 6] |= bit;
    inFlight++;
  }

  /**
   * Takes a buffer once more that another device has taken and never given back. Before anything
   * else is done with a queue that has gone on with {@link #resume}.
   *
   * @param head the buffer's first descriptor; any number
   * @throws VirtqueueException if what is there is malformed; the queue is then broken
   */
  public void retake(DescriptorChain chain, int head) throws VirtqueueException {
    chain.begin(memory);
    take(chain, head);
  }

  /**
   * Goes on where another device has stopped, in a queue just made; what has been used is read from
   * the ring.
   *
   * @param availIndex the next entry of the available ring to look at, 0..65535
   */
  public void resume(int availIndex) {
    checkQuiet();
    nextAvail = availIndex & 0xffff;
    knownAvail = nextAvail;
    usedIndex = Short.toUnsignedInt((short) SHORT.getAcquire(used, RING_INDEX));
  }

  /** The next entry of the available ring to look at, 0..65535. */
  public int availIndex() {
    return nextAvail;
  }

  /** The index in the used ring as last published, 0..65535. */
  public int usedIndex() {
    return usedIndex;
  }

  private boolean readAvailIndex(DescriptorChain chain) throws VirtqueueException {
    // Acquire: the entries and descriptors before this index are read after it.
    knownAvail = Short.toUnsignedInt((short) SHORT.getAcquire(available, RING_INDEX));
    int ahead = (knownAvail - nextAvail) & 0xffff;
    if (ahead > size) {
      throw fault(
          chain,
          VirtqueueFault.AVAIL_INDEX_TOO_FAR,
          "the available index is " + ahead + " entries ahead in a queue of " + size);
    }
    return ahead != 0;
  }

  private void walk(DescriptorChain chain, int head) throws VirtqueueException {
    int current = head;
    for (int seen = 0; ; seen++) {
      if (seen == size) {
        throw loop(chain);
      }
      long place = (long) DESCRIPTOR_SIZE * current;
      long address = (long) LONG.getOpaque(descriptors, place);
      long word = (long) LONG.getOpaque(descriptors, place + 8);
      long length = word & 0xffff_ffffL;
      int flags = (int) (word >>> 32);
      if ((flags & INDIRECT) != 0) {
        // The WRITE flag of the referring descriptor is to be ignored (section 2.7.5.3.2).
        walkIndirect(chain, indirectTable(chain, address, length, flags), length);
        return;
      }
      append(chain, address, length, (flags & WRITE) != 0);
      if ((flags & NEXT) == 0) {
        return;
      }
      current = (int) (word >>> 48);
      checkIndex(chain, current, size, "next");
    }
  }

  private void walkIndirect(DescriptorChain chain, long table, long tableLength)
      throws VirtqueueException {
    long entries = tableLength / DESCRIPTOR_SIZE;
    int current = 0;
    for (long seen = 0; ; seen++) {
      if (seen == entries) {
        throw loop(chain);
      }
      long place = table + (long) DESCRIPTOR_SIZE * current;
      long address = indirectWord(place);
      long word = indirectWord(place + 8);
      int flags = (int) (word >>> 32);
      if ((flags & INDIRECT) != 0) {
        throw indirectInIndirect(chain);
      }
      // Ends a loop in a large table too: no chain grows beyond the longest allowed.
      append(chain, address, word & 0xffff_ffffL, (flags & WRITE) != 0);
      if ((flags & NEXT) == 0) {
        return;
      }
      current = (int) (word >>> 48);
      checkIndex(chain, current, entries, "indirect next");
    }
  }

  private void checkIndex(DescriptorChain chain, int value, long limit, String what)
      throws VirtqueueException {
    if (value >= limit) {
      throw fault(
          chain,
          VirtqueueFault.INDEX_OUT_OF_RANGE,
          what + " index " + value + " in a table of " + limit);
    }
  }

  private VirtqueueException loop(DescriptorChain chain) {
    return fault(chain, VirtqueueFault.DESCRIPTOR_LOOP, "a descriptor chain loops");
  }

  @Override
  public void push(DescriptorChain chain, long usedLength) {
    checkUsedLength(chain, usedLength);
    int head = chain.id();
    long bit = 1L << head;
    if ((headsInFlight[head >> 6] & bit) == 0) {
      throw new IllegalStateException("buffer " + head + " is not in flight");
    }
    headsInFlight[head >> 6] &= ~bit;
    inFlight--;
    if (isBroken()) {
      return;
    }
    long entry = RING_ENTRIES + 8L * ((usedIndex + unpublished) & mask);
    INT.set(used, entry, head);
    INT.set(used, entry + 4, (int) usedLength);
    unpublished++;
  }

  @Override
  public boolean publish() {
    if (unpublished == 0 || isBroken()) {
      return false;
    }
    int old = usedIndex;
    usedIndex = (usedIndex + unpublished) & 0xffff;
    int published = unpublished;
    unpublished = 0;
    // Release: whoever sees the index sees the entries and the data before it.
    SHORT.setRelease(used, RING_INDEX, (short) usedIndex);
    // The driver asks for an interrupt and then looks at the index; here it is the other way round.
    // Only a full fence keeps both from missing each other.
    VarHandle.fullFence();
    if (!eventIndex) {
      return ((short) SHORT.getOpaque(available, 0L) & NO_NOTIFICATIONS) == 0;
    }
    int event = Short.toUnsignedInt((short) SHORT.getOpaque(available, usedEvent));
    return ((event - old) & 0xffff) < published;
  }

  @Override
  public boolean enableNotifications() {
    if (isBroken()) {
      return false;
    }
    if (eventIndex) {
      SHORT.setOpaque(used, availEvent, (short) nextAvail);
    } else {
      SHORT.setOpaque(used, 0L, (short) 0);
    }
    VarHandle.fullFence();
    return hasAvailable();
  }

  @Override
  public void disableNotifications() {
    // With an event index the driver has one shot, and it is spent: it notifies at that index
    // alone.
    if (!eventIndex && !isBroken()) {
      SHORT.setOpaque(used, 0L, NO_NOTIFICATIONS);
    }
  }

  @Override
  public int inFlight() {
    return inFlight;
  }

  @Override
  public VirtqueueState state() {
    checkQuiet();
    return new VirtqueueState(nextAvail, true, usedIndex, true);
  }

  @Override
  public void restore(VirtqueueState state) {
    checkQuiet();
    if (state.availIndex() >>> 16 != 0
        || state.usedIndex() >>> 16 != 0
        || state.availIndex() != state.usedIndex()
        || !state.availWrap()
        || !state.usedWrap()) {
      throw new IllegalArgumentException("no state of a split virtqueue at rest: " + state);
    }
    nextAvail = state.availIndex();
    knownAvail = nextAvail;
    usedIndex = state.usedIndex();
  }

  private void checkQuiet() {
    if (inFlight != 0 || unpublished != 0) {
      throw new IllegalStateException(
          "queue "
              + index
              + " has "
              + inFlight
              + " buffers in flight and "
              + unpublished
              + " to publish");
    }
  }
}
