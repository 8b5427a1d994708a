// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.HostRange;
import dev.spindle.linux.Errno;

/** The way through a window, which no request leaves. */
class RawLane extends BlockLane {
  private final BlockLane below;
  private final long start;
  private final long length;

  RawLane(BlockLane below, long start, long length) {
    super(below);
    this.below = below;
    this.start = start;
    this.length = length;
  }

  @Override
  public final void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, length)) {
      request.complete(-Errno.EIO);
    } else {
      pass(request, start + offset);
    }
  }

  /** Hands a request on to the child. */
  void pass(BlockRequest request, long childOffset) {
    below.submit(request, childOffset);
  }

  @Override
  public final long allocated(long offset, long range) {
    return below.allocated(start + offset, range);
  }

  @Override
  public final BlockStatus blockStatus(long offset, long range) {
    return below.blockStatus(start + offset, range);
  }

  @Override
  public final HostRange hostRange(long offset, long range) {
    return below.hostRange(start + offset, range);
  }

  @Override
  public final void close() {
    below.close();
  }
}
