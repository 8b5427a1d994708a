// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackingLayer;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.DebugEvents;
import dev.spindle.block.graph.FilterLane;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.IntSupplier;

/** One context's way through the filter. All but flushes is straight-line code: it may wait. */
final class CopyOnReadLane extends FilterLane {
  /** What is copied at once, at most. */
  private static final long MOST = 1 << 20;

  private final CopyOnReadNode node;
  private final AioContext context;

  /** What is copied from; null if it does not matter where data comes from. */
  private final List<Layer> layers;

  private final ChildRequests children = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  CopyOnReadLane(CopyOnReadNode node, AioContext context, BlockLane below, List<Layer> layers) {
    super(below);
    this.node = node;
    this.context = context;
    this.layers = layers;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    switch (request.operation) {
      case FLUSH -> below.submit(request, offset);
      case READ -> start(request, () -> read(request, offset));
      case WRITE, WRITE_ZEROES, DISCARD -> start(request, () -> change(request, offset));
    }
  }

  private void start(BlockRequest request, IntSupplier body) {
    request.completeWith(context, "copy-on-read-" + node.name(), body);
  }

  private int change(BlockRequest request, long offset) {
    RangeLocks.Held held = node.copying().lock(offset, offset + request.length, false);
    try (held;
        ChildRequest part = children.take(request.buffers.count())) {
      part.copy(request, offset);
      part.buffers.addAll(request.buffers, 0, request.buffers.totalBytes());
      return part.run(below);
    }
  }

  private int read(BlockRequest request, long offset) {
    long end = offset + request.length;
    for (long position = offset; position < end; ) {
      long run = below.allocated(position, end - position);
      if (run < 0) {
        run = -withinLayers(position, -run);
      }
      long done =
          run > 0
              ? readOnly(request.buffers, position - offset, position, run)
              : copy(request.buffers, position - offset, position, Math.min(-run, MOST));
      if (done < 0) {
        return (int) done;
      }
      position += done;
    }
    return 0;
  }

  /** Of a range that the file does not hold, how much is to be copied; negative if it is not. */
  private long withinLayers(long position, long length) {
    return layers == null ? length : BackingLayer.allocatedIn(layers, position, length);
  }

  /** Reads without copying. Returns the bytes read, or a negated errno. */
  private long readOnly(IoVector data, long dataOffset, long position, long length) {
    int result = transfer(Operation.READ, data, dataOffset, position, length);
    return result < 0 ? result : length;
  }

  /**
   * Copies the beginning of a range that the file did not hold.
   *
   * @return the bytes copied, 0 if the file holds them by now, or a negated errno
   */
  private long copy(IoVector data, long dataOffset, long position, long length) {
    RangeLocks.Held held = node.copying().lock(position, position + length, true);
    try (held) {
      long run = below.allocated(position, length);
      if (run > 0) {
        return 0;
      }
      try (BounceBuffers.Buffer buffer = buffers.take(-run)) {
        int result = transfer(Operation.READ, buffer.vector(), 0, position, -run);
        if (result == 0) {
          data.copyFrom(dataOffset, buffer.memory(), 0, -run);
          result = keep(buffer, position, -run);
        }
        return result < 0 ? result : -run;
      }
    }
  }

  private int keep(BounceBuffers.Buffer buffer, long position, long length) {
    if (below instanceof DebugEvents events) {
      events.fire(BlkdebugEvent.COR_WRITE);
    }
    if (isZero(buffer.memory())) {
      return transfer(Operation.WRITE_ZEROES, null, 0, position, length);
    }
    return transfer(Operation.WRITE, buffer.vector(), 0, position, length);
  }

  private static boolean isZero(MemorySegment memory) {
    long size = memory.byteSize();
    // Each byte is the same as the next one, and the first one is zero.
    return memory.get(ValueLayout.JAVA_BYTE, 0) == 0
        && MemorySegment.mismatch(memory, 0, size - 1, memory, 1, size) < 0;
  }

  private int transfer(
      Operation operation, IoVector data, long dataOffset, long position, long length) {
    try (ChildRequest part = children.take(data == null ? 1 : data.count())) {
      part.operation = operation;
      part.offset = position;
      part.length = length;
      part.forceUnitAccess = false;
      part.mayUnmap = false;
      if (data != null) {
        part.buffers.addAll(data, dataOffset, length);
      }
      return part.run(below);
    }
  }

  @Override
  public void close() {
    if (layers != null) {
      layers.forEach(layer -> layer.lane().close());
    }
    super.close();
  }
}
