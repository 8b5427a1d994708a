// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

/** Where the start of a range of an image is. */
public sealed interface Extent {
  /** How many bytes are alike, from 1 to as many as were asked about. */
  long length();

  /**
   * Held as it is.
   *
   * @param file which of the image's files, 0 for its own
   * @param offset there, in bytes; what lies past the file's end reads as zeroes
   */
  record Data(int file, long offset, long length) implements Extent {}

  /** Held as zeroes, which hide what a backing file has there. */
  record Zeroes(long length) implements Extent {}

  /** Not held: the backing file's, or zeroes. */
  record Absent(long length) implements Extent {}

  /** Held packed: {@link Image#unpack} tells what it is. */
  record Packed(long length) implements Extent {}
}
