// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;

/**
 * A READ, WRITE or WRITE_ZEROES that the server would refuse as it is, because it has parts of the
 * server's blocks or goes past the last byte, or that must keep apart from such. Straight-line code
 * on the lane's context.
 */
final class Detour {
  private final NbdNode node;
  private final NbdLane lane;
  private final BlockRequest request;
  private final long offset;
  private final long mask;

  private Detour(NbdNode node, NbdLane lane, BlockRequest request, long offset) {
    this.node = node;
    this.lane = lane;
    this.request = request;
    this.offset = offset;
    this.mask = node.terms().sizes().minimum() - 1L;
  }

  static void start(NbdNode node, NbdLane lane, BlockRequest request, long offset) {
    Detour detour = new Detour(node, lane, request, offset);
    request.completeWith(lane.context(), "unaligned-" + node.name(), detour::run);
  }

  private int run() {
    if (request.operation == Operation.READ) {
      return read();
    }
    if (offset + request.length > node.terms().size()) {
      return -Errno.ENOSPC;
    }
    long end = offset + request.length;
    long first = Math.min((offset + mask) & ~mask, end);
    long last = Math.max(end & ~mask, first);
    if (first == offset && last == end) {
      return writeWhole(first, last);
    }
    int result = writePart(offset, first);
    if (result == 0) {
      result = writeWhole(first, last);
    }
    return result == 0 ? writePart(last, end) : result;
  }

  /** What the server does not have reads as zeroes. */
  private int read() {
    long there = Math.clamp(node.terms().size() - offset, 0, request.length);
    int result = 0;
    if (there > 0) {
      long start = offset & ~mask;
      long end = (offset + there + mask) & ~mask;
      try (BounceBuffers.Buffer buffer = lane.buffers().take(end - start)) {
        result = transfer(Operation.READ, buffer, start);
        if (result == 0) {
          request.buffers.copyFrom(0, buffer.memory(), offset - start, there);
        }
      }
    }
    request.buffers.fill(there, request.length - there, (byte) 0);
    return result;
  }

  /** Writes whole blocks as they are. */
  private int writeWhole(long start, long end) {
    if (start == end) {
      return 0;
    }
    Errand errand = new Errand(request.operation, Math.max(1, request.buffers.count()));
    errand.length = end - start;
    errand.forceUnitAccess = request.forceUnitAccess;
    errand.mayUnmap = request.mayUnmap;
    errand.mustBeFast = request.mustBeFast;
    if (request.operation == Operation.WRITE) {
      errand.buffers.addAll(request.buffers, start - offset, end - start);
    }
    try (RangeLocks.Held held = node.locks().lock(start, end, false)) {
      lane.send(errand, start, end - start);
      return errand.await();
    }
  }

  /** Writes part of one block, by reading and writing all of it. */
  private int writePart(long start, long end) {
    if (start == end) {
      return 0;
    }
    long block = start & ~mask;
    long bytes = mask + 1;
    try (BounceBuffers.Buffer buffer = lane.buffers().take(bytes);
        RangeLocks.Held held = node.locks().lock(block, block + bytes, true)) {
      int result = transfer(Operation.READ, buffer, block);
      if (result < 0) {
        return result;
      }
      if (request.operation == Operation.WRITE) {
        request.buffers.copyTo(start - offset, buffer.memory(), start - block, end - start);
      } else {
        buffer.memory().asSlice(start - block, end - start).fill((byte) 0);
      }
      return transfer(Operation.WRITE, buffer, block);
    }
  }

  private int transfer(Operation operation, BounceBuffers.Buffer buffer, long start) {
    Errand errand = new Errand(operation, 1);
    long bytes = buffer.memory().byteSize();
    errand.length = bytes;
    errand.forceUnitAccess = operation == Operation.WRITE && request.forceUnitAccess;
    errand.buffers.addAll(buffer.vector(), 0, bytes);
    lane.send(errand, start, bytes);
    return errand.await();
  }
}
