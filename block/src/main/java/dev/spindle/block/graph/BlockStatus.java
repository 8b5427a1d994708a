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
 * @param beyondEnd whether they are zeroes because that layer, which is not the node itself, ends
 *     before them: then it counts as the one that holds them, though it has nothing there
 */
public record BlockStatus(long length, boolean data, boolean zero, int depth, boolean beyondEnd) {
  /** One of a range that is not past the end of any layer. */
  public BlockStatus(long length, boolean data, boolean zero, int depth) {
    this(length, data, zero, depth, false);
  }

  /** What a node says that knows nothing: all of it is data of its own. */
  public static BlockStatus allData(long length) {
    return new BlockStatus(length, true, false, 1);
  }

  /** Zeroes because no layer holds anything. */
  public static BlockStatus inNoLayer(long length) {
    return new BlockStatus(length, false, true, 0);
  }

  /** Zeroes because what the node backs onto ends before them. */
  public static BlockStatus pastBacking(long length) {
    return new BlockStatus(length, false, true, 2, true);
  }

  /** The same as a node above sees it, for which this one is what it backs onto. */
  public BlockStatus fromAbove() {
    return depth == 0 ? this : new BlockStatus(length, data, zero, depth + 1, beyondEnd);
  }

  /** The same of a range of another length. */
  public BlockStatus ofLength(long bytes) {
    return new BlockStatus(bytes, data, zero, depth, beyondEnd);
  }

  /** Whether it says the same of its range as another one does of the range that follows. */
  public boolean goesOnIn(BlockStatus next) {
    return next.ofLength(length).equals(this);
  }
}
