// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;
import static dev.spindle.devices.virtio.RingFormat.INDIRECT;
import static dev.spindle.devices.virtio.RingFormat.INT;
import static dev.spindle.devices.virtio.RingFormat.LONG;
import static dev.spindle.devices.virtio.RingFormat.NEXT;
import static dev.spindle.devices.virtio.RingFormat.NO_NOTIFICATIONS;
import static dev.spindle.devices.virtio.RingFormat.RING_ENTRIES;
import static dev.spindle.devices.virtio.RingFormat.RING_INDEX;
import static dev.spindle.devices.virtio.RingFormat.SHORT;

import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.VirtqueueConfig;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The driver's side of a split virtqueue. */
public final class SplitDriverQueue extends DriverQueue {
  private final MemorySegment descriptors;
  private final MemorySegment available;
  private final MemorySegment used;
  private final int mask;

  /** What follows a descriptor in its chain or, if it is free, in the list of free ones. */
  private final int[] next;

  private final int[] tokens;
  private final int[] chainLengths;
  private int firstFree;
  private int free;
  private int availIndex;
  private int publishedIndex;
  private int lastUsed;

  SplitDriverQueue(GuestArea area, VirtqueueConfig config, long features) {
    super(area, config, features);
    descriptors = area.memory().slice(config.descriptorArea(), (long) DESCRIPTOR_SIZE * size);
    available = area.memory().slice(config.driverArea(), RingFormat.availSize(size));
    used = area.memory().slice(config.deviceArea(), RingFormat.usedSize(size));
    mask = size - 1;
    next = new int[size];
    tokens = new int[size];
    chainLengths = new int[size];
    for (int i = 0; i < size; i++) {
      next[i] = i + 1;
    }
    free = size;
  }

  @Override
  boolean makeAvailable(boolean throughTable, int newToken) {
    int needed = throughTable ? 1 : count;
    if (needed > free) {
      return false;
    }
    int head = firstFree;
    int current = head;
    if (throughTable) {
      fillTable(head);
      LONG.set(descriptors, (long) DESCRIPTOR_SIZE * head, tableAddress(head));
      LONG.set(
          descriptors,
          (long) DESCRIPTOR_SIZE * head + 8,
          word(count * DESCRIPTOR_SIZE, INDIRECT, 0));
    } else {
      for (int i = 0; i < count; i++) {
        current = i == 0 ? head : next[current];
        long place = (long) DESCRIPTOR_SIZE * current;
        int flags = pieceFlags(i);
        LONG.set(descriptors, place, addresses[i]);
        int successor = (flags & NEXT) != 0 ? next[current] : 0;
        LONG.set(descriptors, place + 8, word(lengths[i], flags, successor));
      }
    }
    firstFree = next[current];
    free -= needed;
    tokens[head] = newToken;
    chainLengths[head] = needed;
    SHORT.set(available, RING_ENTRIES + 2L * (availIndex & mask), (short) head);
    availIndex = (availIndex + 1) & 0xffff;
    return true;
  }

  @Override
  long tableWord(int piece) {
    int flags = pieceFlags(piece);
    return word(lengths[piece], flags, (flags & NEXT) != 0 ? piece + 1 : 0);
  }

  @Override
  public boolean publish() {
    int added = (availIndex - publishedIndex) & 0xffff;
    if (added == 0) {
      return false;
    }
    int old = publishedIndex;
    publishedIndex = availIndex;
    SHORT.setRelease(available, RING_INDEX, (short) availIndex);
    VarHandle.fullFence();
    if (!eventIndex) {
      return ((short) SHORT.getOpaque(used, 0L) & NO_NOTIFICATIONS) == 0;
    }
    int event = Short.toUnsignedInt((short) SHORT.getOpaque(used, RingFormat.availEvent(size)));
    return ((event - old) & 0xffff) < added;
  }

  @Override
  public boolean hasUsed() {
    return (short) SHORT.getAcquire(used, RING_INDEX) != (short) lastUsed;
  }

  @Override
  public boolean reap() {
    if (!hasUsed()) {
      return false;
    }
    long entry = RING_ENTRIES + 8L * (lastUsed & mask);
    int head = (int) INT.get(used, entry);
    if (head < 0 || head >= size || chainLengths[head] == 0) {
      throw new DeviceFaultException("the device has used buffer " + head + ", never offered");
    }
    reaped(tokens[head], (int) INT.get(used, entry + 4));
    int last = head;
    for (int i = 1; i < chainLengths[head]; i++) {
      last = next[last];
    }
    next[last] = firstFree;
    firstFree = head;
    free += chainLengths[head];
    chainLengths[head] = 0;
    lastUsed = (lastUsed + 1) & 0xffff;
    return true;
  }

  @Override
  public boolean enableInterrupts() {
    if (eventIndex) {
      SHORT.setOpaque(available, RingFormat.usedEvent(size), (short) lastUsed);
    } else {
      SHORT.setOpaque(available, 0L, (short) 0);
    }
    VarHandle.fullFence();
    return hasUsed();
  }

  @Override
  public void disableInterrupts() {
    if (!eventIndex) {
      SHORT.setOpaque(available, 0L, NO_NOTIFICATIONS);
    }
  }

  @Override
  public int free() {
    return free;
  }
}
