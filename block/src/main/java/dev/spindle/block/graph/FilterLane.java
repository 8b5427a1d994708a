// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * A filter as one context sees it: what the node below knows of its ranges, the filter says, and
 * their lanes are closed together. Owner thread of the context only.
 */
public abstract class FilterLane extends BlockLane {
  /** The way into the node that the filter stands before. */
  protected final BlockLane below;

  private final BlockLane[] others;

  /**
   * Makes a lane, which {@link #close} closes with those it is given.
   *
   * @param below what the filter shows
   * @param others all other lanes that it sends requests to, if any
   */
  protected FilterLane(BlockLane below, BlockLane... others) {
    super(all(below, others));
    this.below = below;
    this.others = others.clone();
  }

  private static BlockLane[] all(BlockLane below, BlockLane[] others) {
    BlockLane[] lanes = new BlockLane[1 + others.length];
    lanes[0] = below;
    System.arraycopy(others, 0, lanes, 1, others.length);
    return lanes;
  }

  @Override
  public long allocated(long offset, long length) {
    return below.allocated(offset, length);
  }

  @Override
  public BlockStatus blockStatus(long offset, long length) {
    return below.blockStatus(offset, length);
  }

  @Override
  public HostRange hostRange(long offset, long length) {
    return below.hostRange(offset, length);
  }

  @Override
  public void close() {
    below.close();
    for (BlockLane other : others) {
      other.close();
    }
  }
}
