// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import dev.spindle.devices.memory.GuestMemory;

/**
 * The driver's side of one queue of a block device (virtio 1.3, section 5.2.6): a number of slots,
 * each with a header, a data buffer and a status byte, and at most one request in flight. One
 * thread at a time; allocates nothing after construction.
 */
public final class BlkDriver {
  /** Request types. */
  public static final int IN = 0;

  public static final int OUT = 1;
  public static final int FLUSH = 4;
  public static final int GET_ID = 8;
  public static final int DISCARD = 11;
  public static final int WRITE_ZEROES = 13;

  /** Statuses. */
  public static final int OK = 0;

  public static final int IOERR = 1;
  public static final int UNSUPP = 2;

  /** What a status byte holds before the device writes it. */
  public static final int UNANSWERED = 0xff;

  private static final int HEADER_BYTES = 16;
  private static final int RANGE_BYTES = 16;

  private final GuestDriver driver;
  private final int queueIndex;
  private final DriverQueue queue;
  private final GuestMemory memory;
  private final long[] headers;
  private final long[] buffers;
  private final long[] statuses;
  private final int bufferBytes;

  /**
   * Lays the slots out.
   *
   * @param queueIndex the queue of {@code driver} to use
   * @param slots requests that can be in flight
   * @param bufferBytes size of each slot's data buffer, page-aligned
   */
  public BlkDriver(GuestDriver driver, int queueIndex, GuestArea area, int slots, int bufferBytes) {
    this.driver = driver;
    this.queueIndex = queueIndex;
    this.queue = driver.queue(queueIndex);
    this.memory = area.memory();
    this.headers = new long[slots];
    this.buffers = new long[slots];
    this.statuses = new long[slots];
    this.bufferBytes = bufferBytes;
    for (int i = 0; i < slots; i++) {
      headers[i] = area.allocate(HEADER_BYTES, HEADER_BYTES);
      statuses[i] = area.allocate(1, 1);
    }
    for (int i = 0; i < slots; i++) {
      buffers[i] = area.allocate(bufferBytes, (int) GuestMemory.PAGE_SIZE);
    }
  }

  /** Guest-physical address of a slot's data buffer. */
  public long buffer(int slot) {
    return buffers[slot];
  }

  /**
   * Makes a read or a write available; the device hears of it at the next {@link #kick}.
   *
   * @param type {@link #IN} or {@link #OUT}
   * @param bytes up to the buffer's size
   * @return false if the ring is full
   */
  public boolean transfer(int slot, int type, long sector, int bytes) {
    if (bytes > bufferBytes) {
      throw new IllegalArgumentException(bytes + " bytes in a buffer of " + bufferBytes);
    }
    writeHeader(slot, type, sector);
    if (type == OUT) {
      queue.readable(buffers[slot], bytes);
    } else {
      queue.writable(buffers[slot], bytes);
    }
    queue.writable(statuses[slot], 1);
    return queue.submit(slot);
  }

  /** Makes a flush available. */
  public boolean flush(int slot) {
    writeHeader(slot, FLUSH, 0);
    queue.writable(statuses[slot], 1);
    return queue.submit(slot);
  }

  /** Makes a {@link #DISCARD} or {@link #WRITE_ZEROES} of one range available. */
  public boolean range(int slot, int type, long sector, int sectors, int flags) {
    writeHeader(slot, type, 0);
    memory.writeLong(buffers[slot], sector);
    memory.writeInt(buffers[slot] + 8, sectors);
    memory.writeInt(buffers[slot] + 12, flags);
    queue.readable(buffers[slot], RANGE_BYTES);
    queue.writable(statuses[slot], 1);
    return queue.submit(slot);
  }

  private void writeHeader(int slot, int type, long sector) {
    memory.writeInt(headers[slot], type);
    memory.writeInt(headers[slot] + 4, 0);
    memory.writeLong(headers[slot] + 8, sector);
    memory.writeByte(statuses[slot], UNANSWERED);
    queue.readable(headers[slot], HEADER_BYTES);
  }

  /** Ends a batch, and kicks the device if it wants that. */
  public void kick() {
    driver.kick(queueIndex);
  }

  /** Takes back a finished request; its slot, or -1 if there is none. */
  public int reap() {
    return queue.reap() ? queue.token() : -1;
  }

  /** As {@link #reap}, but waits for an interrupt; -1 only if the device needs a reset. */
  public int await() {
    int slot = reap();
    while (slot < 0 && driver.resetReason() == null) {
      driver.awaitUsed(queueIndex);
      slot = reap();
    }
    return slot;
  }

  /** The status byte of a slot. */
  public int status(int slot) {
    return memory.readByte(statuses[slot]);
  }

  /** The used length of the request reaped last. */
  public int usedLength() {
    return queue.usedLength();
  }
}
