// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_AT_DESCRIPTOR;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_DISABLE;
import static dev.spindle.devices.virtio.RingFormat.EVENTS_ENABLE;
import static dev.spindle.devices.virtio.RingFormat.EVENT_SUPPRESSION_SIZE;
import static dev.spindle.devices.virtio.RingFormat.INDIRECT;
import static dev.spindle.devices.virtio.RingFormat.INT;
import static dev.spindle.devices.virtio.RingFormat.LONG;
import static dev.spindle.devices.virtio.RingFormat.PACKED_AVAIL;
import static dev.spindle.devices.virtio.RingFormat.PACKED_USED;
import static dev.spindle.devices.virtio.RingFormat.WRITE;

import dev.spindle.devices.virtio.VirtqueueConfig;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The driver's side of a packed virtqueue. */
public final class PackedDriverQueue extends DriverQueue {
  private final MemorySegment ring;
  private final MemorySegment driverEvents;
  private final MemorySegment deviceEvents;

  /** Buffer ids that are free: the first {@code size - buffers} of the stack. */
  private final int[] freeIds;

  private final int[] tokens;

  /** Ring slots of the buffer with an id; 0 if the id is free. */
  private final int[] slotsOf;

  private int freeIdCount;
  private int free;
  private int nextAvail;
  private boolean availWrap = true;
  private int addedSlots;
  private int nextUsed;
  private boolean usedWrap = true;

  PackedDriverQueue(GuestArea area, VirtqueueConfig config, long features) {
    super(area, config, features);
    ring = area.memory().slice(config.descriptorArea(), (long) DESCRIPTOR_SIZE * size);
    driverEvents = area.memory().slice(config.driverArea(), EVENT_SUPPRESSION_SIZE);
    deviceEvents = area.memory().slice(config.deviceArea(), EVENT_SUPPRESSION_SIZE);
    freeIds = new int[size];
    tokens = new int[size];
    slotsOf = new int[size];
    for (int i = 0; i < size; i++) {
      freeIds[i] = size - 1 - i;
    }
    freeIdCount = size;
    free = size;
  }

  @Override
  boolean makeAvailable(boolean throughTable, int newToken) {
    int needed = throughTable ? 1 : count;
    if (needed > free) {
      return false;
    }
    int id = freeIds[--freeIdCount];
    long headPlace = (long) DESCRIPTOR_SIZE * nextAvail + 8;
    long headWord;
    if (throughTable) {
      fillTable(id);
      LONG.set(ring, headPlace - 8, tableAddress(id));
      headWord = word(count * DESCRIPTOR_SIZE, id, INDIRECT | availableFlags());
      advance();
    } else {
      headWord = word(lengths[0], id, pieceFlags(0) | availableFlags());
      LONG.set(ring, headPlace - 8, addresses[0]);
      advance();
      for (int i = 1; i < count; i++) {
        long place = (long) DESCRIPTOR_SIZE * nextAvail;
        LONG.set(ring, place, addresses[i]);
        LONG.set(ring, place + 8, word(lengths[i], id, pieceFlags(i) | availableFlags()));
        advance();
      }
    }
    free -= needed;
    addedSlots += needed;
    tokens[id] = newToken;
    slotsOf[id] = needed;
    // Release: whoever sees the head available sees the whole chain.
    LONG.setRelease(ring, headPlace, headWord);
    return true;
  }

  private int availableFlags() {
    return availWrap ? PACKED_AVAIL : PACKED_USED;
  }

  private void advance() {
    if (++nextAvail == size) {
      nextAvail = 0;
      availWrap = !availWrap;
    }
  }

  @Override
  long tableWord(int piece) {
    return word(lengths[piece], 0, pieceFlags(piece) & WRITE);
  }

  @Override
  public boolean publish() {
    if (addedSlots == 0) {
      return false;
    }
    int added = addedSlots;
    addedSlots = 0;
    VarHandle.fullFence();
    int events = (int) INT.getOpaque(deviceEvents, 0L);
    int mode = events >>> 16 & 3;
    if (mode != EVENTS_AT_DESCRIPTOR) {
      return mode != EVENTS_DISABLE;
    }
    int wanted = events & 0x7fff;
    if ((events & 0x8000) != 0 != availWrap) {
      wanted -= size;
    }
    return wanted < nextAvail && wanted >= nextAvail - added;
  }

  @Override
  public boolean hasUsed() {
    return isUsed((long) LONG.getAcquire(ring, (long) DESCRIPTOR_SIZE * nextUsed + 8));
  }

  private boolean isUsed(long word) {
    int flags = (int) (word >>> 48);
    return ((flags & PACKED_AVAIL) != 0) == usedWrap && ((flags & PACKED_USED) != 0) == usedWrap;
  }

  @Override
  public boolean reap() {
    long word = (long) LONG.getAcquire(ring, (long) DESCRIPTOR_SIZE * nextUsed + 8);
    if (!isUsed(word)) {
      return false;
    }
    int id = (int) (word >>> 32) & 0xffff;
    if (id >= size || slotsOf[id] == 0) {
      throw new DeviceFaultException("the device has used buffer " + id + ", never offered");
    }
    // Without the WRITE flag the length means nothing (section 2.8.4).
    boolean written = ((word >>> 48) & WRITE) != 0;
    reaped(tokens[id], written ? (int) word : 0);
    nextUsed += slotsOf[id];
    if (nextUsed >= size) {
      nextUsed -= size;
      usedWrap = !usedWrap;
    }
    free += slotsOf[id];
    slotsOf[id] = 0;
    freeIds[freeIdCount++] = id;
    return true;
  }

  @Override
  public boolean enableInterrupts() {
    int place = nextUsed | (usedWrap ? 0x8000 : 0);
    int events = eventIndex ? place | EVENTS_AT_DESCRIPTOR << 16 : EVENTS_ENABLE << 16;
    INT.setOpaque(driverEvents, 0L, events);
    VarHandle.fullFence();
    return hasUsed();
  }

  @Override
  public void disableInterrupts() {
    INT.setOpaque(driverEvents, 0L, EVENTS_DISABLE << 16);
  }

  @Override
  public int free() {
    return free;
  }
}
