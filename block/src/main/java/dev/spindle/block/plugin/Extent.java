// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.plugin;

/**
 * What a disk knows of the start of a range: how many bytes of it are alike, and in what way.
 *
 * @param length bytes that are alike, at least 1; more than was asked about counts as that much
 * @param stored whether they take up storage; a hole does not
 * @param zero whether they are known to read as zeroes
 */
public record Extent(long length, boolean stored, boolean zero) {
  /**
   * Checks the length.
   *
   * @throws IllegalArgumentException if it is not positive
   */
  public Extent {
    if (length < 1) {
      throw new IllegalArgumentException("an extent of " + length + " bytes");
    }
  }

  /** Bytes that take up storage, and may be anything. */
  public static Extent data(long length) {
    return new Extent(length, true, false);
  }

  /** Bytes that take up no storage, and read as zeroes. */
  public static Extent hole(long length) {
    return new Extent(length, false, true);
  }

  /** Bytes that take up storage, and are known to be zeroes. */
  public static Extent zeroes(long length) {
    return new Extent(length, true, true);
  }
}
