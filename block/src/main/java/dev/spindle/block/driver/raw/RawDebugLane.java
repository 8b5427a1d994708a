// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.DebugEvents;

/** The way through the window where the child wants to hear what happens. */
final class RawDebugLane extends RawLane {
  private static final BlkdebugEvent[] READ = {BlkdebugEvent.READ_AIO};
  private static final BlkdebugEvent[] WRITE = {BlkdebugEvent.WRITE_AIO};
  private static final BlkdebugEvent[] FLUSH = {
    BlkdebugEvent.FLUSH_TO_OS, BlkdebugEvent.FLUSH_TO_DISK
  };

  private final DebugEvents events;

  RawDebugLane(BlockLane below, DebugEvents events, long start, long length) {
    super(below, start, length);
    this.events = events;
  }

  @Override
  void pass(BlockRequest request, long childOffset) {
    switch (request.operation) {
      case READ -> events.submit(request, childOffset, READ);
      case WRITE -> events.submit(request, childOffset, WRITE);
      case FLUSH -> events.submit(request, childOffset, FLUSH);
      case DISCARD, WRITE_ZEROES -> super.pass(request, childOffset);
    }
  }
}
