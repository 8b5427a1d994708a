// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_AT_DESCRIPTOR;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_DISABLE;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_ENABLE;
import static dev.spindle.devices.virtio.RingFormat.EVENT_SUPPRESSION_SIZE;
import static dev.spindle.devices.virtio.RingFormat.INDIRECT;
import static dev.spindle.devices.virtio.RingFormat.INT;
import static dev.spindle.devices.virtio.RingFormat.LONG;
import static dev.spindle.devices.virtio.RingFormat.NEXT;
import static dev.spindle.devices.virtio.RingFormat.PACKED_AVAIL;
import static dev.spindle.devices.virtio.RingFormat.PACKED_USED;
import static dev.spindle.devices.virtio.RingFormat.WRITE;

import dev.spindle.devices.memory.DeviceMemory;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The device's side of a packed virtqueue (virtio 1.3, section 2.8). */
public final class PackedVirtqueue extends Virtqueue {
  private static final int BUFFER_IDS = 1 << 16;

  private final MemorySegment ring;
  private final MemorySegment driverEvents;
  private final MemorySegment deviceEvents;

  /**
   * Buffer ids popped and not yet pushed, one bit each; the driver may choose any 16-bit number.
   */
  private final long[] idsInFlight = new long[BUFFER_IDS / 64];

  private int inFlight;

  /** Slots of the ring that belong to buffers in flight or not yet published. */
  private int slotsTaken;

  /** Next slot to look at for an available descriptor, and the driver's wrap counter there. */
  private int nextAvail;

  private boolean availWrap = true;

  /** Next slot to write a used descriptor to, and the device's wrap counter there. */
  private int nextUsed;

  private boolean usedWrap = true;

  /**
   * The first used descriptor of the batch, which is written last: the driver looks at the ring in
   * order and so sees all of the batch or nothing.
   */
  private long firstUsedPlace;

  private long firstUsedWord;

  /** Slots passed over by used descriptors that are not published yet; 0 if there are none. */
  private int unpublishedSlots;

  PackedVirtqueue(DeviceMemory memory, VirtqueueConfig config, long features)
      throws VirtqueueException {
    super(memory, config, features);
    if (size < 1 || size > VirtqueueConfig.MAX_SIZE) {
      throw badSize(config);
    }
    ring =
        area(
            memory,
            index,
            "the descriptor ring",
            config.descriptorArea(),
            (long) DESCRIPTOR_SIZE * size,
            16);
    driverEvents =
        area(
            memory,
            index,
            "the driver event suppression structure",
            config.driverArea(),
            EVENT_SUPPRESSION_SIZE,
            4);
    deviceEvents =
        area(
            memory,
            index,
            "the device event suppression structure",
            config.deviceArea(),
            EVENT_SUPPRESSION_SIZE,
            4);
  }

  @Override
  public boolean hasAvailable() {
    return !isBroken()
        && isAvailable((long) LONG.getOpaque(ring, (long) DESCRIPTOR_SIZE * nextAvail + 8));
  }

  /** Section 2.8.1: available if AVAIL is the driver's wrap counter and USED is not. */
  private boolean isAvailable(long word) {
    int flags = (int) (word >>> 48);
    return ((flags & PACKED_AVAIL) != 0) == availWrap && ((flags & PACKED_USED) != 0) != availWrap;
  }

  @Override
  public boolean pop(DescriptorChain chain) throws VirtqueueException {
    chain.begin(memory);
    if (isBroken()) {
      return false;
    }
    long place = (long) DESCRIPTOR_SIZE * nextAvail;
    // Acquire: the rest of the chain is read after the flags that make it available. Length, buffer
    // id and flags are one word and so come from the same moment.
    long word = (long) LONG.getAcquire(ring, place + 8);
    if (!isAvailable(word)) {
      return false;
    }
    int slots = 0;
    int slot = nextAvail;
    while (true) {
      if (slotsTaken + slots == size) {
        throw ringExceeded(chain);
      }
      slots++;
      long address = (long) LONG.getOpaque(ring, place);
      long length = word & 0xffff_ffffL;
      int flags = (int) (word >>> 48);
      if ((flags & INDIRECT) != 0) {
        // The WRITE flag of the referring descriptor means nothing here.
        walkIndirect(chain, indirectTable(chain, address, length, flags), length);
        break;
      }
      append(chain, address, length, (flags & WRITE) != 0);
      if ((flags & NEXT) == 0) {
        break;
      }
      slot = slot + 1 == size ? 0 : slot + 1;
      place = (long) DESCRIPTOR_SIZE * slot;
      word = (long) LONG.getOpaque(ring, place + 8);
    }
    // The id of the whole buffer is in its last descriptor (section 2.8.6).
    accept(chain, (int) (word >>> 32) & 0xffff, slots);
    return true;
  }

  private void accept(DescriptorChain chain, int id, int slots) throws VirtqueueException {
    take(chain, id, slots);
    nextAvail += slots;
    if (nextAvail >= size) {
      nextAvail -= size;
      availWrap = !availWrap;
    }
  }

  private void take(DescriptorChain chain, int id, int slots) throws VirtqueueException {
    long bit = 1L << id;
    if ((idsInFlight[id >> 6] & bit) != 0) {
      throw fault(
          chain,
          VirtqueueFault.BUFFER_IN_FLIGHT,
          "buffer id " + id + " is made available again while in flight");
    }
    finish(chain, id, slots);
    idsInFlight[id >> 6] |= bit;
    inFlight++;
    slotsTaken += slots;
  }

  /** The first slot of the buffer that has been popped last. */
  public int firstSlot(DescriptorChain chain) {
    int first = nextAvail - chain.ringSlots();
    return first < 0 ? first + size : first;
  }

  /** The first word of a descriptor in the ring: the buffer's address. */
  public long addressAt(int slot) {
    return (long) LONG.getOpaque(ring, (long) DESCRIPTOR_SIZE * slot);
  }

  /** The second word of a descriptor in the ring: length, buffer id, flags, from the low end on. */
  public long wordAt(int slot) {
    return (long) LONG.getOpaque(ring, (long) DESCRIPTOR_SIZE * slot + 8);
  }

  /** Whether a device has published a used descriptor in a slot, in the lap with that counter. */
  public boolean isUsed(int slot, boolean wrap) {
    int flags = (int) ((long) LONG.getAcquire(ring, (long) DESCRIPTOR_SIZE * slot + 8) >>> 48);
    return ((flags & PACKED_AVAIL) != 0) == wrap && ((flags & PACKED_USED) != 0) == wrap;
  }

  /** The descriptors of a buffer as they were when a device took it; they may be anything. */
  public interface Taken {
    /** How many there are; as many slots of the ring. */
    int slots();

    /** As {@link #addressAt}. */
    long address(int number);

    /** As {@link #wordAt}. */
    long word(int number);
  }

  /**
   * Takes a buffer once more that another device has taken and never given back. Before anything
   * else is done with a queue that has gone on with {@link #resume}.
   *
   * @throws VirtqueueException if what was there is malformed; the queue is then broken
   */
  public void retake(DescriptorChain chain, Taken taken) throws VirtqueueException {
    chain.begin(memory);
    int slots = taken.slots();
    if (slots < 1 || slots > size - slotsTaken) {
      throw ringExceeded(chain);
    }
    long word = 0;
    for (int i = 0; i < slots; i++) {
      long address = taken.address(i);
      word = taken.word(i);
      long length = word & 0xffff_ffffL;
      int flags = (int) (word >>> 48);
      if ((flags & INDIRECT) != 0) {
        walkIndirect(chain, indirectTable(chain, address, length, flags), length);
      } else {
        append(chain, address, length, (flags & WRITE) != 0);
      }
    }
    take(chain, (int) (word >>> 32) & 0xffff, slots);
  }

  /**
   * Goes on where another device has stopped, in a queue just made; what it has taken and not given
   * back is to be taken with {@link #retake}: as many slots as there are between its places. Used
   * descriptors that it has written there, but not published, are taken back: the driver looks at
   * them in order, and has not come so far.
   *
   * @throws IllegalArgumentException if the places are not in the ring
   */
  public void resume(VirtqueueState state) {
    checkQuiet();
    if (state.availIndex() < 0
        || state.availIndex() >= size
        || state.usedIndex() < 0
        || state.usedIndex() >= size) {
      throw new IllegalArgumentException(
          "no state of a packed virtqueue of " + size + ": " + state);
    }
    goOn(state);
    int slot = nextUsed;
    boolean wrap = usedWrap;
    while (slot != nextAvail || wrap != availWrap) {
      takeBack(slot, wrap);
      slot++;
      if (slot == size) {
        slot = 0;
        wrap = !wrap;
      }
    }
  }

  private void takeBack(int slot, boolean wrap) {
    if (isUsed(slot, wrap)) {
      long used = (long) PACKED_USED << 48;
      LONG.setRelease(ring, (long) DESCRIPTOR_SIZE * slot + 8, wordAt(slot) ^ used);
    }
  }

  private void goOn(VirtqueueState state) {
    nextAvail = state.availIndex();
    availWrap = state.availWrap();
    nextUsed = state.usedIndex();
    usedWrap = state.usedWrap();
  }

  /** An indirect table is a plain array: every entry counts, NEXT means nothing (section 2.8.8). */
  private void walkIndirect(DescriptorChain chain, long table, long tableLength)
      throws VirtqueueException {
    // Ends early for a large table: append allows no chain beyond the longest allowed.
    for (long place = table; place < table + tableLength; place += DESCRIPTOR_SIZE) {
      long address = indirectWord(place);
      long word = indirectWord(place + 8);
      int flags = (int) (word >>> 48);
      if ((flags & INDIRECT) != 0) {
        throw indirectInIndirect(chain);
      }
      append(chain, address, word & 0xffff_ffffL, (flags & WRITE) != 0);
    }
  }

  private VirtqueueException ringExceeded(DescriptorChain chain) {
    if (slotsTaken == 0) {
      return fault(
          chain,
          VirtqueueFault.DESCRIPTOR_LOOP,
          "a descriptor chain goes round the whole ring of " + size);
    }
    return fault(
        chain,
        VirtqueueFault.TOO_MANY_IN_FLIGHT,
        "a slot of the ring is made available again while its buffer is in flight");
  }

  @Override
  public void push(DescriptorChain chain, long usedLength) {
    checkUsedLength(chain, usedLength);
    int id = chain.id();
    long bit = 1L << id;
    if ((idsInFlight[id >> 6] & bit) == 0) {
      throw new IllegalStateException("buffer " + id + " is not in flight");
    }
    idsInFlight[id >> 6] &= ~bit;
    inFlight--;
    if (isBroken()) {
      return;
    }
    long flags = usedWrap ? PACKED_AVAIL | PACKED_USED : 0;
    if (usedLength > 0) {
      flags |= WRITE;
    }
    long word = (usedLength & 0xffff_ffffL) | (long) id << 32 | flags << 48;
    long place = (long) DESCRIPTOR_SIZE * nextUsed + 8;
    if (unpublishedSlots == 0) {
      firstUsedPlace = place;
      firstUsedWord = word;
    } else {
      LONG.setOpaque(ring, place, word);
    }
    int slots = chain.ringSlots();
    unpublishedSlots += slots;
    nextUsed += slots;
    if (nextUsed >= size) {
      nextUsed -= size;
      usedWrap = !usedWrap;
    }
  }

  @Override
  public boolean publish() {
    if (unpublishedSlots == 0 || isBroken()) {
      return false;
    }
    int passed = unpublishedSlots;
    unpublishedSlots = 0;
    slotsTaken -= passed;
    // Release: whoever sees the first descriptor used sees the others and the data before it.
    LONG.setRelease(ring, firstUsedPlace, firstUsedWord);
    // As in a split queue: both sides write, then look at what the other has written.
    VarHandle.fullFence();
    int events = (int) INT.getOpaque(driverEvents, 0L);
    int mode = events >>> 16 & 3;
    if (mode != EVENTS_AT_DESCRIPTOR || !eventIndex) {
      return mode != EVENTS_DISABLE;
    }
    int wanted = events & 0x7fff;
    if ((events & 0x8000) != 0 != usedWrap) {
      // A place in the lap before this one.
      wanted -= size;
    }
    return wanted < nextUsed && wanted >= nextUsed - passed;
  }

  @Override
  public boolean enableNotifications() {
    if (isBroken()) {
      return false;
    }
    int place = nextAvail | (availWrap ? 0x8000 : 0);
    INT.setOpaque(
        deviceEvents, 0L, eventIndex ? place | EVENTS_AT_DESCRIPTOR << 16 : EVENTS_ENABLE << 16);
    VarHandle.fullFence();
    return hasAvailable();
  }

  @Override
  public void disableNotifications() {
    if (!isBroken()) {
      INT.setOpaque(deviceEvents, 0L, EVENTS_DISABLE << 16);
    }
  }

  @Override
  public int inFlight() {
    return inFlight;
  }

  @Override
  public VirtqueueState state() {
    checkQuiet();
    return new VirtqueueState(nextAvail, availWrap, nextUsed, usedWrap);
  }

  @Override
  public void restore(VirtqueueState state) {
    checkQuiet();
    if (state.availIndex() < 0
        || state.availIndex() >= size
        || state.availIndex() != state.usedIndex()
        || state.availWrap() != state.usedWrap()) {
      throw new IllegalArgumentException(
          "no state of a packed virtqueue of " + size + " at rest: " + state);
    }
    goOn(state);
  }

  private void checkQuiet() {
    if (inFlight != 0 || unpublishedSlots != 0) {
      throw new IllegalStateException(
          "queue "
              + index
              + " has "
              + inFlight
              + " buffers in flight and "
              + unpublishedSlots
              + " slots to publish");
    }
  }
}
