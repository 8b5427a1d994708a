// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.DebugEvents;

/** The way through the window where the child wants to hear what happens. */
final class RawDebugLane extends BlockLane {
  private static final BlkdebugEvent[] READ = {BlkdebugEvent.READ_AIO};
  private static final BlkdebugEvent[] WRITE = {BlkdebugEvent.WRITE_AIO};
  private static final BlkdebugEvent[] FLUSH = {
    BlkdebugEvent.FLUSH_TO_OS, BlkdebugEvent.FLUSH_TO_DISK
  };

  private final BlockLane below;
  private final DebugEvents events;
  private final long start;

  RawDebugLane(BlockLane below, DebugEvents events, long start) {
    super(below);
    this.below = below;
    this.events = events;
    this.start = start;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    switch (request.operation) {
      case READ -> events.submit(request, start + offset, READ);
      case WRITE -> events.submit(request, start + offset, WRITE);
      case FLUSH -> events.submit(request, start + offset, FLUSH);
      case DISCARD, WRITE_ZEROES -> below.submit(request, start + offset);
    }
  }

  @Override
  public long allocated(long offset, long length) {
    return below.allocated(start + offset, length);
  }

  @Override
  public void close() {
    below.close();
  }
}
