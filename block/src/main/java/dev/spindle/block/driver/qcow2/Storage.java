// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/**
 * A file that holds an image or a part of one, as straight-line code uses it: every call waits.
 * What lies past its end reads as zeroes; what is written there makes it longer.
 */
interface Storage {
  /** Memory in which data may be on its way here. */
  BounceBuffers buffers();

  /** How long it is now, in bytes. */
  long length();

  /** Makes it longer or shorter; what is added reads as zeroes. */
  void resize(long length) throws Qcow2Exception;

  /** Reads into a part of a list of buffers. */
  void read(long offset, IoVector data, long position, long length) throws Qcow2Exception;

  /** Reads into native memory. */
  void read(long offset, MemorySegment target) throws Qcow2Exception;

  /** Writes native memory. */
  void write(long offset, MemorySegment source) throws Qcow2Exception;

  /**
   * Writes a part of a list of buffers, with what comes before and after it.
   *
   * @param offset where {@code head} goes, in bytes
   * @param head native memory; may be empty
   * @param tail native memory; may be empty
   */
  void write(
      long offset,
      MemorySegment head,
      IoVector data,
      long position,
      long length,
      MemorySegment tail)
      throws Qcow2Exception;

  /**
   * Has a range read as zeroes.
   *
   * @param mayUnmap whether it may give up what it takes on disk
   */
  void zero(long offset, long length, boolean mayUnmap) throws Qcow2Exception;

  /** What a range holds is of no use any more; a hint. */
  void discard(long offset, long length) throws Qcow2Exception;

  /** Returns when all that was written before is on stable storage. */
  void flush() throws Qcow2Exception;
}
