// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.bitmap;

/**
 * A run of dirty bytes.
 *
 * @param offset the first one
 * @param bytes how many, at least 1
 */
public record DirtyArea(long offset, long bytes) {
  /** The first byte behind it. */
  public long end() {
    return offset + bytes;
  }
}
