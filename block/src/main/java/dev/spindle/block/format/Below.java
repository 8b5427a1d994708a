// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.HostRange;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;

/**
 * A backing node as one context's straight-line code reads it: past its end are zeroes. Virtual
 * threads of that context only.
 */
public final class Below {
  private final BlockLane lane;
  private final long length;
  private final ChildRequests requests = new ChildRequests();

  /**
   * Uses a lane, which its owner closes.
   *
   * @param length of the backing node in bytes
   */
  public Below(BlockLane lane, long length) {
    this.lane = lane;
    this.length = length;
  }

  /** Reads into a part of a list of buffers, and waits. */
  public void read(long offset, IoVector data, long dataOffset, long bytes) throws ImageException {
    long inside = Math.clamp(length - offset, 0, bytes);
    data.fill(dataOffset + inside, bytes - inside, (byte) 0);
    if (inside == 0) {
      return;
    }
    try (ChildRequest request = requests.take(data.count())) {
      request.operation = Operation.READ;
      request.offset = offset;
      request.length = inside;
      request.forceUnitAccess = false;
      request.mayUnmap = false;
      request.mustBeFast = false;
      request.buffers.addAll(data, dataOffset, inside);
      int result = request.run(lane);
      if (result < 0) {
        throw new ImageException(
            -result,
            "Could not read the backing file at offset %d: %s"
                .formatted(offset, Errno.message(-result)));
      }
    }
  }

  /** What is known of the start of a range, with the layers counted from the overlay on. */
  public BlockStatus status(long offset, long bytes) {
    if (offset >= length) {
      return BlockStatus.pastBacking(bytes);
    }
    return lane.blockStatus(offset, Math.min(bytes, length - offset)).fromAbove();
  }

  /** As {@link BlockLane#hostRange}. */
  public HostRange hostRange(long offset, long bytes) {
    return offset >= length
        ? HostRange.nowhere(bytes)
        : lane.hostRange(offset, Math.min(bytes, length - offset));
  }

  /** Whether a range is known to read as zeroes. */
  public boolean isZero(long offset, long bytes) {
    for (long position = offset; position < offset + bytes; ) {
      BlockStatus status = status(position, offset + bytes - position);
      if (!status.zero()) {
        return false;
      }
      position += status.length();
    }
    return true;
  }
}
