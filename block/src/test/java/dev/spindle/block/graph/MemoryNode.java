// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.aio.AioContext;
import java.lang.foreign.MemorySegment;

/** A disk in memory without limits of its own, for tests; what becomes of a request they say. */
public abstract class MemoryNode extends BlockNode {
  protected MemoryNode(String name, String driver, AioContext home) {
    super(name, driver, home);
  }

  /** Does what a request asks of memory; a flush and a discard ask nothing. */
  protected static void transfer(BlockRequest request, MemorySegment memory, long offset) {
    switch (request.operation) {
      case READ -> request.buffers.copyFrom(0, memory, offset, request.length);
      case WRITE -> request.buffers.copyTo(0, memory, offset, request.length);
      case WRITE_ZEROES -> memory.asSlice(offset, request.length).fill((byte) 0);
      case FLUSH, DISCARD -> {}
    }
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  /** A lane that holds nothing of its context. */
  protected abstract static class MemoryLane extends BlockLane {
    @Override
    public void close() {}
  }

  @Override
  public void close() {}
}
