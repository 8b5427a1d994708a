// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

import java.lang.foreign.MemorySegment;

/**
 * A disk that stands before another: the node given as {@code file=NODE}, or described as {@code
 * file.driver=…}. All it does by itself is to hand requests on; it overrides those that it wants to
 * do something about. What {@link DiskDriver} says of requests and their data holds here too.
 */
public non-sealed interface DiskFilter extends DiskPlugin {
  /**
   * Whether its users see the same bytes with it as without it, and it may so be taken out again,
   * or looked through: a filter that counts is transparent, one that encrypts is not. Asked once,
   * after {@link #open}. A transparent filter's {@link #size} is the next disk's.
   *
   * @return false unless overridden
   */
  default boolean isTransparent() {
    return false;
  }

  /**
   * The size of the disk. Asked once, after {@link #open}.
   *
   * @param next size of the next disk in bytes
   * @return bytes, a multiple of 512 and of {@link #blockSize}; that of the next disk unless
   *     overridden
   * @throws Exception if it cannot be found out; the disk is not opened then
   */
  default long size(long next) throws Exception {
    return next;
  }

  /**
   * Whether the disk can be written if the next one can. Asked once, after {@link #open}.
   *
   * @return true unless overridden
   */
  default boolean canWrite() {
    return true;
  }

  /**
   * Reads.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param data to be filled, all of it; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void read(NextDisk next, MemorySegment data, long offset) throws Exception {
    next.read(data, offset);
  }

  /**
   * Writes. Where the guest asks for durable data (FUA), {@link #writeDurably} is called instead if
   * it is overridden, and otherwise a {@link #flush} follows.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param data what to write, all of it, not to be changed; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void write(NextDisk next, MemorySegment data, long offset) throws Exception {
    next.write(data, offset);
  }

  /**
   * Writes, and returns once these data are on stable storage (FUA). A {@link #write} and a {@link
   * #flush} unless overridden, most simply with {@link NextDisk#writeDurably}.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param data what to write, all of it, not to be changed; at most 1 MiB
   * @param offset where on the disk, in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void writeDurably(NextDisk next, MemorySegment data, long offset) throws Exception {
    write(next, data, offset);
    flush(next);
  }

  /**
   * Puts everything that has been written on stable storage.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void flush(NextDisk next) throws Exception {
    next.flush();
  }

  /**
   * The range is not needed any more.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void discard(NextDisk next, long offset, long length) throws Exception {
    next.discard(offset, length);
  }

  /**
   * What is known of the start of a range without reading it, as {@link DiskDriver#extent}. A
   * filter that {@linkplain #isTransparent is transparent} is not asked: the next disk is. Of
   * another one all is data unless overridden.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes, positive
   * @return at least 1 byte
   * @throws Exception if it cannot be found out; all is data then
   */
  default Extent extent(NextDisk next, long offset, long length) throws Exception {
    return Extent.data(length);
  }

  /**
   * Makes the range read as zeroes: those of the next disk if the filter {@linkplain #isTransparent
   * is transparent}; else it writes zeroes through {@link #write}, unless overridden.
   *
   * @param next the next disk, for the time of this call and on its thread
   * @param offset where on the disk, in bytes
   * @param length of the range in bytes
   * @param mayDiscard whether the range may give up its storage as well
   * @throws Exception if that fails: {@link DiskException} says how, anything else is an I/O error
   */
  default void writeZeroes(NextDisk next, long offset, long length, boolean mayDiscard)
      throws Exception {
    if (isTransparent()) {
      next.writeZeroes(offset, length, mayDiscard);
      return;
    }
    for (long done = 0; done < length; done += ZeroBytes.MOST) {
      write(next, ZeroBytes.of(length - done), offset + done);
    }
  }
}
