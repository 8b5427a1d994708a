// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.driver.BlkDriver;
import dev.spindle.devices.virtio.driver.DeviceFaultException;
import dev.spindle.devices.virtio.driver.DriverQueue;
import dev.spindle.devices.virtio.driver.GuestArea;
import dev.spindle.linux.IoVector;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * A virtqueue of one connection, with the memory that its requests need: for each slot a header, a
 * range and a status byte, and chunks for data that the back end cannot reach where they are. What
 * an operation has in a slot is a <em>piece</em> of it. The thread of the queue's context only;
 * allocates nothing after construction.
 *
 * <p>The back end may write to all of that memory at any time: nothing that was put there is
 * believed afterwards, but for data and statuses, which are the back end's to say.
 */
final class FrontEndRing {
  /** More than this is sent in several pieces when it goes through chunks. */
  private static final int MOST_COPIED_BYTES = 1 << 20;

  /** Used lengths have 32 bits. */
  private static final int MOST_DIRECT_BYTES = 1 << 30;

  private static final int NONE = -1;

  private final GuestMemory memory;
  private final FrontEndRingLayout layout;
  private final FrontEndDisk disk;
  private final DriverQueue queue;
  private final long headers;
  private final long ranges;
  private final long statuses;
  private final long chunks;
  private final long zeroes;

  private final int[] freeSlots;
  private int freeSlotCount;
  private final FrontEndOp[] operations;

  /** Where a slot's data belong in its request; the first of its chunks, or none. */
  private final long[] positions;

  private final int[] lengths;
  private final int[] writable;
  private final int[] firstChunks;

  /** The next chunk of the same slot, or the next one that is free. */
  private final int[] nextChunks;

  private int freeSmall = NONE;
  private int freeLarge = NONE;
  private int freeLargeCount;

  FrontEndRing(
      GuestMemory memory, long start, int index, FrontEndRingLayout layout, FrontEndDisk disk) {
    this.memory = memory;
    this.layout = layout;
    this.disk = disk;
    int size = layout.queueSize();
    GuestArea area = new GuestArea(memory, start, layout.controlBytes());
    queue = DriverQueue.create(area, index, size, layout.maxChain(), disk.features());
    headers = area.allocate((long) size * FrontEndRingLayout.HEADER_BYTES, 16);
    ranges = area.allocate((long) size * FrontEndRingLayout.RANGE_BYTES, 16);
    statuses = area.allocate(size, 1);
    chunks = start + layout.controlBytes();
    zeroes = start + layout.zeroesAt();
    freeSlots = new int[size];
    operations = new FrontEndOp[size];
    positions = new long[size];
    lengths = new int[size];
    writable = new int[size];
    firstChunks = new int[size];
    nextChunks = new int[layout.chunks()];
    for (int slot = 0; slot < size; slot++) {
      freeSlots[freeSlotCount++] = slot;
      firstChunks[slot] = NONE;
    }
    for (int chunk = layout.chunks() - 1; chunk >= 0; chunk--) {
      freeChunk(chunk);
    }
  }

  FrontEndDisk disk() {
    return disk;
  }

  DriverQueue queue() {
    return queue;
  }

  /** Whether nothing is on its way. */
  boolean isIdle() {
    return freeSlotCount == operations.length;
  }

  /**
   * Whether one piece can take all buffers as they are, provided that the back end reaches them.
   */
  boolean takesDirectly(IoVector buffers) {
    if (buffers.count() > layout.segments() || buffers.totalBytes() > MOST_DIRECT_BYTES) {
      return false;
    }
    for (int i = 0; i < buffers.count(); i++) {
      if (buffers.length(i) > disk.maxSegmentBytes()) {
        return false;
      }
    }
    return true;
  }

  /**
   * Sends all of a READ or WRITE, whose data the back end can reach.
   *
   * @param type {@link BlkDriver#IN} or {@link BlkDriver#OUT}
   * @return bytes, or 0 if there is no room
   */
  long direct(FrontEndOp op, int type, SharedRegions shared) {
    int slot = takeSlot();
    if (slot == NONE) {
      return 0;
    }
    IoVector buffers = op.buffers();
    begin(slot, type, op.offset());
    for (int i = 0; i < buffers.count(); i++) {
      piece(type, shared.addressOf(buffers, i), (int) buffers.length(i));
    }
    return end(slot, op, 0, (int) op.length(), type == BlkDriver.IN);
  }

  /** As {@link #direct} for a part from {@code position} on, through chunks. */
  long copied(FrontEndOp op, int type, long position) {
    long most = (long) layout.segments() * layout.largeBytes();
    long left = Math.min(op.length() - position, Math.min(most, MOST_COPIED_BYTES));
    int slot = takeSlot();
    if (slot == NONE) {
      return 0;
    }
    if (!takeChunks(slot, left)) {
      freeSlots[freeSlotCount++] = slot;
      return 0;
    }
    begin(slot, type, op.offset() + position);
    int done = 0;
    for (int chunk = firstChunks[slot]; chunk != NONE; chunk = nextChunks[chunk]) {
      int bytes = (int) Math.min(left - done, layout.chunkBytes(chunk));
      long address = chunks + layout.chunkAt(chunk);
      if (type == BlkDriver.OUT) {
        op.buffers().copyTo(position + done, memory.segment(), address, bytes);
      }
      piece(type, address, bytes);
      done += bytes;
    }
    return end(slot, op, position, done, type == BlkDriver.IN);
  }

  /** Writes zeroes from {@code position} on as a WRITE does; bytes, or 0 if there is no room. */
  long zeroes(FrontEndOp op, long position) {
    int slot = takeSlot();
    if (slot == NONE) {
      return 0;
    }
    long most = (long) layout.segments() * layout.largeBytes();
    int left = (int) Math.min(op.length() - position, Math.min(most, MOST_COPIED_BYTES));
    begin(slot, BlkDriver.OUT, op.offset() + position);
    int done = 0;
    while (done < left) {
      int bytes = Math.min(left - done, layout.largeBytes());
      queue.readable(zeroes, bytes);
      done += bytes;
    }
    return end(slot, op, position, done, false);
  }

  /** Sends a flush; 1, or 0 if there is no room. */
  long flush(FrontEndOp op) {
    int slot = takeSlot();
    if (slot == NONE) {
      return 0;
    }
    begin(slot, BlkDriver.FLUSH, 0);
    return end(slot, op, 0, 1, false);
  }

  /**
   * Sends a discard or a zeroing from {@code position} on.
   *
   * @param most bytes of one
   * @return bytes, or 0 if there is no room
   */
  long range(FrontEndOp op, int type, long position, long most, int flags) {
    int slot = takeSlot();
    if (slot == NONE) {
      return 0;
    }
    int bytes = (int) Math.min(op.length() - position, most);
    begin(slot, type, 0);
    long range = ranges + (long) slot * FrontEndRingLayout.RANGE_BYTES;
    memory.writeLong(range, (op.offset() + position) >> 9);
    memory.writeInt(range + 8, bytes >> 9);
    memory.writeInt(range + 12, flags);
    queue.readable(range, FrontEndRingLayout.RANGE_BYTES);
    return end(slot, op, position, bytes, false);
  }

  private int takeSlot() {
    return freeSlotCount == 0 ? NONE : freeSlots[--freeSlotCount];
  }

  private void begin(int slot, int type, long offset) {
    long header = headers + (long) slot * FrontEndRingLayout.HEADER_BYTES;
    memory.writeInt(header, type);
    memory.writeInt(header + 4, 0);
    memory.writeLong(header + 8, offset >> 9);
    queue.readable(header, FrontEndRingLayout.HEADER_BYTES);
  }

  private void piece(int type, long address, int bytes) {
    if (type == BlkDriver.OUT) {
      queue.readable(address, bytes);
    } else {
      queue.writable(address, bytes);
    }
  }

  private long end(int slot, FrontEndOp op, long position, int bytes, boolean in) {
    memory.writeByte(statuses + slot, BlkDriver.UNANSWERED);
    queue.writable(statuses + slot, 1);
    if (!queue.submit(slot)) {
      freeChunks(slot);
      freeSlots[freeSlotCount++] = slot;
      return 0;
    }
    operations[slot] = op;
    positions[slot] = position;
    lengths[slot] = bytes;
    writable[slot] = in ? bytes + 1 : 1;
    return bytes;
  }

  /**
   * Takes back the next piece that the back end is done with, and tells its operation.
   *
   * @return whether there was one
   * @throws DeviceFaultException if the back end breaks the rules
   */
  boolean reap() {
    if (!queue.reap()) {
      return false;
    }
    int slot = queue.token();
    if (Integer.compareUnsigned(queue.usedLength(), writable[slot]) > 0) {
      throw new DeviceFaultException(
          "the device has written %s bytes into buffers of %d"
              .formatted(Integer.toUnsignedString(queue.usedLength()), writable[slot]));
    }
    int status = memory.readByte(statuses + slot);
    FrontEndOp op = operations[slot];
    boolean right = false;
    try {
      if (status == BlkDriver.OK && firstChunks[slot] != NONE && writable[slot] > 1) {
        copyOut(slot, op.buffers());
      }
      right = true;
    } finally {
      operations[slot] = null;
      freeChunks(slot);
      freeSlots[freeSlotCount++] = slot;
      op.pieceDone(right ? status : BlkDriver.IOERR);
    }
    return true;
  }

  private void copyOut(int slot, IoVector buffers) {
    long position = positions[slot];
    int left = lengths[slot];
    for (int chunk = firstChunks[slot]; chunk != NONE; chunk = nextChunks[chunk]) {
      int bytes = Math.min(left, layout.chunkBytes(chunk));
      buffers.copyFrom(position, memory.segment(), chunks + layout.chunkAt(chunk), bytes);
      position += bytes;
      left -= bytes;
    }
  }

  /** Hands over what is on its way, an operation once for each of its pieces. */
  void forEach(Consumer<FrontEndOp> action) {
    Arrays.stream(operations).filter(op -> op != null).forEach(action);
  }

  /** Gives a slot chunks for so many bytes; false if there are not enough. */
  private boolean takeChunks(int slot, long bytes) {
    firstChunks[slot] = NONE;
    if (bytes <= layout.smallBytes()) {
      if (freeSmall == NONE) {
        return false;
      }
      int chunk = freeSmall;
      freeSmall = nextChunks[chunk];
      nextChunks[chunk] = NONE;
      firstChunks[slot] = chunk;
      return true;
    }
    int wanted = (int) ((bytes + layout.largeBytes() - 1) / layout.largeBytes());
    if (wanted > freeLargeCount) {
      return false;
    }
    for (int i = 0; i < wanted; i++) {
      int chunk = freeLarge;
      freeLarge = nextChunks[chunk];
      freeLargeCount--;
      nextChunks[chunk] = firstChunks[slot];
      firstChunks[slot] = chunk;
    }
    return true;
  }

  private void freeChunks(int slot) {
    int chunk = firstChunks[slot];
    while (chunk != NONE) {
      int next = nextChunks[chunk];
      freeChunk(chunk);
      chunk = next;
    }
    firstChunks[slot] = NONE;
  }

  private void freeChunk(int chunk) {
    if (chunk < layout.queueSize()) {
      nextChunks[chunk] = freeSmall;
      freeSmall = chunk;
    } else {
      nextChunks[chunk] = freeLarge;
      freeLarge = chunk;
      freeLargeCount++;
    }
  }
}
