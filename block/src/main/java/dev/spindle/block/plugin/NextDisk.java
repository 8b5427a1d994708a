// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import java.lang.foreign.MemorySegment;

/**
 * The disk that a {@link DiskFilter} stands before, as one request of the filter sees it: usable
 * until that request's method returns, on the thread that called it. Each call waits until it is
 * done. Ranges must lie within {@link #size}; they need no alignment. What fails throws {@link
 * DiskException} with the next disk's error, which a filter may simply let through.
 *
 * <p>Filters call it; only their tests implement it.
 */
public interface NextDisk {
  /**
   * The size of the next disk. Any thread, at any time.
   *
   * @return bytes
   */
  long size();

  /**
   * Reads.
   *
   * @param data to be filled, all of it; any memory that may be written
   * @param offset where on the next disk, in bytes
   * @throws DiskException if that fails
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  void read(MemorySegment data, long offset) throws DiskException;

  /**
   * Writes.
   *
   * @param data what to write; any memory
   * @param offset where on the next disk, in bytes
   * @throws DiskException if that fails
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  void write(MemorySegment data, long offset) throws DiskException;

  /**
   * Writes, and returns once these data are on stable storage (FUA).
   *
   * @param data what to write; any memory
   * @param offset where on the next disk, in bytes
   * @throws DiskException if that fails
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  default void writeDurably(MemorySegment data, long offset) throws DiskException {
    write(data, offset);
    flush();
  }

  /**
   * What is known of the start of a range without reading it.
   *
   * @param offset where on the next disk, in bytes
   * @param length of the range in bytes, positive
   * @return from 1 to {@code length} bytes
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  default Extent extent(long offset, long length) {
    return Extent.data(length);
  }

  /**
   * Puts everything that has been written on stable storage.
   *
   * @throws DiskException if that fails
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  void flush() throws DiskException;

  /**
   * Says that a range is not needed any more.
   *
   * @param offset where on the next disk, in bytes
   * @param length of the range in bytes
   * @throws DiskException if that fails
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  void discard(long offset, long length) throws DiskException;

  /**
   * Makes a range read as zeroes.
   *
   * @param offset where on the next disk, in bytes
   * @param length of the range in bytes
   * @param mayDiscard whether the range may give up its storage as well
   * @throws DiskException if that fails
   * @throws IndexOutOfBoundsException if the range leaves the next disk
   * @throws IllegalStateException if the filter's own request is over, or this is another thread
   */
  void writeZeroes(long offset, long length, boolean mayDiscard) throws DiskException;
}
