// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.crypto;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.linux.Errno;

/** The way to data for which nobody has given a password: there is none. */
public final class LockedLane extends BlockLane {
  private final BlockLane below;

  /** Makes a lane, which closes the one below. */
  public LockedLane(BlockLane below) {
    super(below);
    this.below = below;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    request.complete(request.operation == BlockRequest.Operation.FLUSH ? 0 : -Errno.EACCES);
  }

  @Override
  public void close() {
    below.close();
  }
}
