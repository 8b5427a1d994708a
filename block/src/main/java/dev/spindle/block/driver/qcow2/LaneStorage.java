// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.qcow2;

import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;

/** A child as straight-line code of one context uses it. Virtual threads of that context only. */
final class LaneStorage implements Storage {
  private final BlockNode node;
  private final BlockLane lane;
  private final ChildRequests requests = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  /**
   * Uses a lane, which its owner closes.
   *
   * @param lane to {@code node}
   */
  LaneStorage(BlockNode node, BlockLane lane) {
    this.node = node;
    this.lane = lane;
  }

  @Override
  public BounceBuffers buffers() {
    return buffers;
  }

  @Override
  public long length() {
    return node.length();
  }

  @Override
  public void resize(long length) throws Qcow2Exception {
    throw new Qcow2Exception(
        Errno.EOPNOTSUPP, "Node '%s' cannot be resized".formatted(node.name()));
  }

  @Override
  public void read(long offset, IoVector data, long position, long length) throws Qcow2Exception {
    long inside = Math.clamp(length() - offset, 0, length);
    data.fill(position + inside, length - inside, (byte) 0);
    if (inside > 0) {
      try (ChildRequest request = take(Operation.READ, offset, inside, data.count())) {
        request.buffers.addAll(data, position, inside);
        run(request);
      }
    }
  }

  @Override
  public void read(long offset, MemorySegment target) throws Qcow2Exception {
    long inside = Math.clamp(length() - offset, 0, target.byteSize());
    target.asSlice(inside).fill((byte) 0);
    if (inside > 0) {
      try (ChildRequest request = take(Operation.READ, offset, inside, 1)) {
        request.buffers.add(target, 0, inside);
        run(request);
      }
    }
  }

  @Override
  public void write(long offset, MemorySegment source) throws Qcow2Exception {
    try (ChildRequest request = take(Operation.WRITE, offset, source.byteSize(), 1)) {
      request.buffers.add(source, 0, source.byteSize());
      run(request);
    }
  }

  @Override
  public void write(
      long offset,
      MemorySegment head,
      IoVector data,
      long position,
      long length,
      MemorySegment tail)
      throws Qcow2Exception {
    if (data.count() + 2 > IoVector.MAX_CAPACITY) {
      if (head.byteSize() > 0) {
        write(offset, head);
      }
      send(offset + head.byteSize(), MemorySegment.NULL, data, position, length, tail, 0);
      if (tail.byteSize() > 0) {
        write(offset + head.byteSize() + length, tail);
      }
      return;
    }
    send(offset, head, data, position, length, tail, tail.byteSize());
  }

  private void send(
      long offset,
      MemorySegment head,
      IoVector data,
      long position,
      long length,
      MemorySegment tail,
      long tailBytes)
      throws Qcow2Exception {
    long all = head.byteSize() + length + tailBytes;
    int count = Math.min(data.count() + 2, IoVector.MAX_CAPACITY);
    try (ChildRequest request = take(Operation.WRITE, offset, all, count)) {
      request.buffers.add(head, 0, head.byteSize());
      request.buffers.addAll(data, position, length);
      request.buffers.add(tail, 0, tailBytes);
      run(request);
    }
  }

  @Override
  public void zero(long offset, long length, boolean mayUnmap) throws Qcow2Exception {
    try (ChildRequest request = take(Operation.WRITE_ZEROES, offset, length, 1)) {
      request.mayUnmap = mayUnmap;
      run(request);
    }
  }

  @Override
  public void discard(long offset, long length) throws Qcow2Exception {
    long inside = Math.clamp(length() - offset, 0, length);
    if (inside > 0) {
      try (ChildRequest request = take(Operation.DISCARD, offset, inside, 1)) {
        run(request);
      }
    }
  }

  @Override
  public void flush() throws Qcow2Exception {
    try (ChildRequest request = take(Operation.FLUSH, 0, 0, 1)) {
      run(request);
    }
  }

  private ChildRequest take(Operation operation, long offset, long length, int ranges) {
    ChildRequest request = requests.take(ranges);
    request.operation = operation;
    request.offset = offset;
    request.length = length;
    request.forceUnitAccess = false;
    request.mayUnmap = false;
    request.mustBeFast = false;
    return request;
  }

  private void run(ChildRequest request) throws Qcow2Exception {
    Operation operation = request.operation;
    long offset = request.offset;
    int result = request.run(lane);
    if (result < 0) {
      throw new Qcow2Exception(
          -result,
          "%s at offset %d of node '%s' failed: %s"
              .formatted(operation, offset, node.name(), Errno.message(-result)));
    }
  }
}
