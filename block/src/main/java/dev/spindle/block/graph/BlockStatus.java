// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * What a node knows of the start of a range.
 *
 * @param length bytes that are alike, at least 1 and no more than was asked about
 * @param data whether they take up storage; if they do not, writing them may run out of it
 * @param zero whether they are known to read as zeroes
 * @param depth which layer of a backing chain holds them: 1 for the node itself, 2 for what it
 *     backs onto, and so on; 0 if none does
 */
public record BlockStatus(long length, boolean data, boolean zero, int depth) {
  /** What a node says that knows nothing: all of it is data of its own. */
  public static BlockStatus allData(long length) {
    return new BlockStatus(length, true, false, 1);
  }
}
