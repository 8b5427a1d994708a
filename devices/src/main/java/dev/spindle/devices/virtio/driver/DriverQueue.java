// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.driver;

import static dev.spindle.devices.virtio.RingFormat.DESCRIPTOR_SIZE;
import static dev.spindle.devices.virtio.RingFormat.NEXT;
import static dev.spindle.devices.virtio.RingFormat.WRITE;

import dev.spindle.devices.memory.GuestMemory;
import dev.spindle.devices.virtio.RingFormat;
import dev.spindle.devices.virtio.VirtioFeatures;
import dev.spindle.devices.virtio.VirtqueueConfig;
import java.lang.foreign.MemorySegment;

/**
 * The driver's side of a virtqueue (virtio 1.3, sections 2.7 and 2.8): makes buffers available and
 * takes them back used. One thread at a time; allocates nothing after construction.
 *
 * <p>A buffer is described piece by piece ({@link #readable}, {@link #writable}), then made
 * available with {@link #submit}. {@link #publish} ends a batch and says whether the device wants a
 * kick for it.
 *
 * <p>It keeps the rules: whoever wants to break them writes to the rings' memory by hand.
 */
public abstract sealed class DriverQueue permits SplitDriverQueue, PackedDriverQueue {
  final MemorySegment segment;
  final int size;
  final boolean eventIndex;
  private final GuestMemory memory;
  private final VirtqueueConfig config;
  private final boolean indirect;
  private final long indirectTables;

  final long[] addresses;
  final int[] lengths;
  int count;
  int readableCount;

  private int token;
  private int usedLength;

  DriverQueue(GuestArea area, VirtqueueConfig config, long features) {
    this.memory = area.memory();
    this.segment = memory.segment();
    this.config = config;
    this.size = config.size();
    this.eventIndex = (features & VirtioFeatures.EVENT_IDX) != 0;
    this.indirect = (features & VirtioFeatures.INDIRECT_DESC) != 0;
    this.addresses = new long[config.maxChainLength()];
    this.lengths = new int[config.maxChainLength()];
    this.indirectTables = indirect ? area.allocate(tableBytes() * size, DESCRIPTOR_SIZE) : 0;
  }

  /**
   * Lays a queue out in guest memory.
   *
   * @param index the queue's index in its device
   * @param size descriptors in its ring; split: a power of two
   * @param maxChainLength the most descriptors a buffer may have, indirect ones included
   * @param features the negotiated features. With VIRTIO_F_INDIRECT_DESC, buffers of two or more
   *     pieces go through an indirect table
   */
  public static DriverQueue create(
      GuestArea area, int index, int size, int maxChainLength, long features) {
    boolean packed = (features & VirtioFeatures.RING_PACKED) != 0;
    long descriptors = area.allocate((long) DESCRIPTOR_SIZE * size, DESCRIPTOR_SIZE);
    long driver =
        area.allocate(packed ? RingFormat.EVENT_SUPPRESSION_SIZE : RingFormat.availSize(size), 4);
    long device =
        area.allocate(packed ? RingFormat.EVENT_SUPPRESSION_SIZE : RingFormat.usedSize(size), 4);
    VirtqueueConfig config =
        new VirtqueueConfig(index, size, maxChainLength, descriptors, driver, device);
    return packed
        ? new PackedDriverQueue(area, config, features)
        : new SplitDriverQueue(area, config, features);
  }

  /** Where the queue is, for the device. */
  public final VirtqueueConfig config() {
    return config;
  }

  /**
   * Adds a piece that the device may read. All readable pieces come before the first writable one.
   */
  public final void readable(long address, int length) {
    if (count != readableCount) {
      throw new IllegalStateException("a readable piece after a writable one");
    }
    piece(address, length);
    readableCount++;
  }

  /** Adds a piece that the device may write. */
  public final void writable(long address, int length) {
    piece(address, length);
  }

  private void piece(long address, int length) {
    addresses[count] = address;
    lengths[count] = length;
    count++;
  }

  /**
   * Makes the described buffer available and starts a new description.
   *
   * @param newToken comes back with the used buffer
   * @return false if the ring has no room: then nothing has happened, and the description is
   *     dropped
   */
  public final boolean submit(int newToken) {
    if (count == 0) {
      throw new IllegalStateException("a buffer of no pieces");
    }
    boolean throughTable = indirect && count > 1;
    boolean done = makeAvailable(throughTable, newToken);
    count = 0;
    readableCount = 0;
    return done;
  }

  abstract boolean makeAvailable(boolean throughTable, int newToken);

  /**
   * Ends a batch of submissions.
   *
   * @return whether the device wants to be notified of it
   */
  public abstract boolean publish();

  /** Whether {@link #reap} would find something. */
  public abstract boolean hasUsed();

  /**
   * Takes back the next used buffer.
   *
   * @return whether there was one; {@link #token} and {@link #usedLength} then tell about it
   * @throws DeviceFaultException if the device has used what it was not given
   */
  public abstract boolean reap();

  /** Asks for an interrupt at the next used buffer; true if there is one already. */
  public abstract boolean enableInterrupts();

  /** Asks for no interrupts; with an event index, for none beyond the one asked for last. */
  public abstract void disableInterrupts();

  /** How many more descriptors fit into the ring. */
  public abstract int free();

  /** What was given to {@link #submit} for the buffer reaped last. */
  public final int token() {
    return token;
  }

  /** How many bytes the device claims to have written into the buffer reaped last. */
  public final int usedLength() {
    return usedLength;
  }

  final void reaped(int newToken, int newUsedLength) {
    token = newToken;
    usedLength = newUsedLength;
  }

  final long tableBytes() {
    return (long) DESCRIPTOR_SIZE * config.maxChainLength();
  }

  /** Guest address of the indirect table kept for a slot of the ring. */
  final long tableAddress(int slot) {
    return indirectTables + slot * tableBytes();
  }

  /** Writes the described pieces into the table of a slot. */
  final void fillTable(int slot) {
    long offset = memory.offsetOf(tableAddress(slot), tableBytes());
    for (int i = 0; i < count; i++) {
      long place = offset + (long) DESCRIPTOR_SIZE * i;
      RingFormat.LONG.set(segment, place, addresses[i]);
      RingFormat.LONG.set(segment, place + 8, tableWord(i));
    }
  }

  /** The second half of a piece's descriptor in an indirect table. */
  abstract long tableWord(int piece);

  /** The flags of a piece in its chain: whether it goes on, and who writes. */
  final int pieceFlags(int piece) {
    return (piece + 1 < count ? NEXT : 0) | (piece >= readableCount ? WRITE : 0);
  }

  /** The second half of a descriptor; split: flags, next; packed: buffer id, flags. */
  static long word(int length, int third, int fourth) {
    return (length & 0xffff_ffffL) | (long) third << 32 | (long) fourth << 48;
  }
}
