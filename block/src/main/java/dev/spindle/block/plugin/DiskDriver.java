// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import java.lang.foreign.MemorySegment;

/**
 * A disk. {@link #size} and {@link #read} are all that it must have; without {@link #write} it is
 * read-only. Requests are straight-line code that may wait ({@link #needsOwnThreads} says how);
 * they are within the disk's size, in multiples of {@link #blockSize}, and come as {@link
 * #threadModel} says. Whatever one throws fails that request alone.
 *
 * <p>Data come as memory that is often the guest's own, and lasts until the method returns. {@link
 * MemorySegment#asByteBuffer} makes a {@link java.nio.ByteBuffer} of it. A guest may change its
 * memory at any time: what must be looked at twice is copied first.
 */
public non-sealed interface DiskDriver extends DiskPlugin {
  /**
   * The size of the disk. Asked once, after {@link #open}.
   *
   * @return bytes, a multiple of 512 and of {@link #blockSize}
   * @throws Exception if it cannot be found out; the disk is not opened then
   */
  long size() throws Exception;

  /**
   * Whether the disk can be written. Asked once, after {@link #open}.
   *
   * @return whether {@link #write} is overridden, unless this is
   */
  default boolean canWrite() {
    return Overridden.write(this);
  }

  /**
   * Reads.
   *
   * @param data to be filled, all of it; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  void read(MemorySegment data, long offset) throws Exception;

  /**
   * Writes. The data need not outlast a power failure before a {@link #flush}; where the guest asks
   * for that (FUA), {@link #writeDurably} is called instead if it is overridden, and otherwise a
   * flush follows.
   *
   * @param data what to write, all of it, not to be changed; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void write(MemorySegment data, long offset) throws Exception {
    throw new UnsupportedOperationException("write");
  }

  /**
   * Writes, and returns once these data are on stable storage (FUA): for a disk that can do so at
   * less than the price of a {@link #flush}, which is what follows a {@link #write} unless this is
   * overridden.
   *
   * @param data what to write, all of it, not to be changed; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void writeDurably(MemorySegment data, long offset) throws Exception {
    write(data, offset);
    flush();
  }

  /**
   * Puts everything that has been written on stable storage. Nothing unless overridden.
   *
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void flush() throws Exception {}

  /**
   * The range is not needed any more; what is read there afterwards is anything until it is written
   * again. Ignored unless overridden.
   *
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void discard(long offset, long length) throws Exception {}

  /**
   * What is known of the start of a range without reading it: holes and zeroes that copies of the
   * disk may leave out (block status). It says what is true at the time, and should be cheap.
   * Everything is data unless overridden; where it throws, too, so that nobody relies on it.
   *
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes, positive
   * @return at least 1 byte
   * @throws Exception if it cannot be found out
   */
  default Extent extent(long offset, long length) throws Exception {
    return Extent.data(length);
  }

  /**
   * Makes the range read as zeroes. Writes zeroes unless overridden.
   *
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes
   * @param mayDiscard whether the range may give up its storage as well
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void writeZeroes(long offset, long length, boolean mayDiscard) throws Exception {
    for (long done = 0; done < length; done += ZeroBytes.MOST) {
      write(ZeroBytes.of(length - done), offset + done);
    }
  }
}
