// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio;

import dev.spindle.devices.memory.DeviceMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * One request as a virtqueue hands it over: the device-readable pieces, then the device-writable
 * ones, each checked to lie in guest memory. The only way from a device to a driver's buffers.
 *
 * <p>The queue reads every descriptor exactly once and keeps what it read here, so that a driver
 * which changes its descriptors afterwards changes nothing. The <em>contents</em> of the buffers
 * stay shared with the guest: a device copies a header out (the {@code read…} methods) and judges
 * the copy.
 *
 * <p>A chain is made once and used for many requests; its arrays grow to the longest chain seen. It
 * belongs to one thread at a time, from the {@link Virtqueue#pop} that fills it until the {@link
 * Virtqueue#push} that gives it back.
 */
public final class DescriptorChain {
  private static final int FIRST_CAPACITY = 8;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private long[] offsets = new long[FIRST_CAPACITY];
  private long[] lengths = new long[FIRST_CAPACITY];
  private int count;
  private int readableCount;
  private long readableBytes;
  private long writableBytes;
  private MemorySegment memory;

  /** Split: index of the head descriptor; packed: the driver's buffer id. */
  private int id;

  /** Packed: slots of the ring that this chain occupies. */
  private int ringSlots;

  /** Makes an empty chain. */
  public DescriptorChain() {}

  void begin(DeviceMemory guestMemory) {
    memory = guestMemory.segment();
    clear();
  }

  void clear() {
    count = 0;
    readableCount = 0;
    readableBytes = 0;
    writableBytes = 0;
  }

  void identify(int newId, int newRingSlots) {
    id = newId;
    ringSlots = newRingSlots;
  }

  void appendReadable(long offset, long length) {
    append(offset, length);
    readableCount++;
    readableBytes += length;
  }

  void appendWritable(long offset, long length) {
    append(offset, length);
    writableBytes += length;
  }

  private void append(long offset, long length) {
    if (count == offsets.length) {
      offsets = Arrays.copyOf(offsets, 2 * count);
      lengths = Arrays.copyOf(lengths, 2 * count);
    }
    offsets[count] = offset;
    lengths[count] = length;
    count++;
  }

  /** Split: index of the head descriptor; packed: the driver's buffer id. 0..65535. */
  public int id() {
    return id;
  }

  /** Packed: slots of the ring that this chain occupies. */
  public int ringSlots() {
    return ringSlots;
  }

  /** Pieces in all; the readable ones come first. */
  public int count() {
    return count;
  }

  /** Pieces that the device may read: numbers 0 to this, exclusive. */
  public int readableCount() {
    return readableCount;
  }

  /**
   * Pieces that the device may write: numbers {@link #readableCount} to {@link #count}, exclusive.
   */
  public int writableCount() {
    return count - readableCount;
  }

  /** Bytes in all readable pieces. */
  public long readableBytes() {
    return readableBytes;
  }

  /** Bytes in all writable pieces. */
  public long writableBytes() {
    return writableBytes;
  }

  /** The memory that {@link #offset} counts in. */
  public MemorySegment memory() {
    return memory;
  }

  /** Where a piece starts in {@link #memory()}, in bytes. */
  public long offset(int piece) {
    checkPiece(piece);
    return offsets[piece];
  }

  /** A piece's size in bytes: at least 1, less than 4 GiB. */
  public long length(int piece) {
    checkPiece(piece);
    return lengths[piece];
  }

  /** Whether a piece is for the device to write; otherwise it is for the device to read. */
  public boolean isWritable(int piece) {
    checkPiece(piece);
    return piece >= readableCount;
  }

  private void checkPiece(int piece) {
    if (piece < 0 || piece >= count) {
      throw new IndexOutOfBoundsException("piece " + piece + " of " + count);
    }
  }

  /**
   * Reads a little-endian 32-bit word.
   *
   * @param position bytes from the start of the readable bytes, wherever pieces begin and end
   * @throws IndexOutOfBoundsException if the readable bytes end before
   */
  public int readInt(long position) {
    if (readableCount > 0 && position >= 0 && position <= lengths[0] - Integer.BYTES) {
      return memory.get(INT, offsets[0] + position);
    }
    return (int) gather(position, Integer.BYTES);
  }

  /** Reads a little-endian 64-bit word; see {@link #readInt}. */
  public long readLong(long position) {
    if (readableCount > 0 && position >= 0 && position <= lengths[0] - Long.BYTES) {
      return memory.get(LONG, offsets[0] + position);
    }
    return gather(position, Long.BYTES);
  }

  /** Copies readable bytes out; see {@link #readInt}. */
  public void readBytes(long position, byte[] target, int start, int length) {
    checkRange(position, length, readableBytes);
    long skip = position;
    int done = 0;
    for (int i = 0; done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      int step = (int) Math.min(length - done, lengths[i] - skip);
      MemorySegment.copy(
          memory, ValueLayout.JAVA_BYTE, offsets[i] + skip, target, start + done, step);
      done += step;
      skip = 0;
    }
  }

  private long gather(long position, int bytes) {
    checkRange(position, bytes, readableBytes);
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      long offset = locate(0, position + i);
      value |= Byte.toUnsignedLong(memory.get(ValueLayout.JAVA_BYTE, offset)) << (8 * i);
    }
    return value;
  }

  /**
   * Writes one byte.
   *
   * @param position bytes from the start of the writable bytes, wherever pieces begin and end
   * @throws IndexOutOfBoundsException if the writable bytes end before
   */
  public void writeByte(long position, int value) {
    checkRange(position, 1, writableBytes);
    memory.set(ValueLayout.JAVA_BYTE, locate(readableCount, position), (byte) value);
  }

  /** Copies bytes into the writable pieces; see {@link #writeByte}. */
  public void writeBytes(long position, byte[] source, int start, int length) {
    checkRange(position, length, writableBytes);
    long skip = position;
    int done = 0;
    for (int i = readableCount; done < length; i++) {
      if (skip >= lengths[i]) {
        skip -= lengths[i];
        continue;
      }
      int step = (int) Math.min(length - done, lengths[i] - skip);
      MemorySegment.copy(
          source, start + done, memory, ValueLayout.JAVA_BYTE, offsets[i] + skip, step);
      done += step;
      skip = 0;
    }
  }

  /**
   * Offset in memory of a position known to exist, counted from the start of piece {@code first}.
   */
  private long locate(int first, long position) {
    long left = position;
    int i = first;
    while (left >= lengths[i]) {
      left -= lengths[i++];
    }
    return offsets[i] + left;
  }

  private static void checkRange(long position, long length, long limit) {
    if (position < 0 || length < 0 || position > limit - length) {
      throw new IndexOutOfBoundsException(
          length + " bytes at position " + position + " of " + limit);
    }
  }
}
