// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.format;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.HostRange;
import dev.spindle.linux.Errno;

/** One context's way into an image. */
final class FormatLane extends BlockLane {
  /** How many alike extents are put together for one answer. */
  private static final int MOST_EXTENTS = 256;

  private final FormatNode node;
  private final AioContext context;
  private final String threadName;
  private final BlockLane[] lanes;
  private final ImageIo io;
  private final Below below;

  /**
   * Makes a lane, which {@link #close} closes with those it is given.
   *
   * @param lanes to the image's files and to what it backs onto
   * @param below null without a backing file
   */
  FormatLane(FormatNode node, AioContext context, BlockLane[] lanes, ImageIo io, Below below) {
    super(lanes);
    this.node = node;
    this.context = context;
    this.threadName = node.driver() + "-" + node.name();
    this.lanes = lanes;
    this.io = io;
    this.below = below;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, node.length())) {
      request.complete(-Errno.EIO);
    } else {
      request.completeWith(
          context, threadName, () -> new FormatRequest(node, io, below, request, offset).run());
    }
  }

  @Override
  public long allocated(long offset, long length) {
    boolean first = false;
    long run = 0;
    try {
      for (int i = 0; i < MOST_EXTENTS && run < length; i++) {
        Extent extent = FormatRequest.map(node, io, offset + run, length - run);
        boolean held = !(extent instanceof Extent.Absent);
        if (i > 0 && held != first) {
          break;
        }
        first = held;
        run += extent.length();
      }
    } catch (ImageException e) {
      node.complain(e);
      if (run == 0) {
        // Reading it will fail in its turn.
        return length;
      }
    }
    return first ? run : -run;
  }

  @Override
  public BlockStatus blockStatus(long offset, long length) {
    BlockStatus first = null;
    long run = 0;
    try {
      for (int i = 0; i < MOST_EXTENTS && run < length; i++) {
        BlockStatus status = status(offset + run, length - run);
        if (first != null && !first.goesOnIn(status)) {
          break;
        }
        first = status;
        run += status.length();
      }
    } catch (ImageException e) {
      node.complain(e);
      if (run == 0) {
        return BlockStatus.allData(length);
      }
    }
    return first.ofLength(run);
  }

  private BlockStatus status(long offset, long length) throws ImageException {
    Extent extent = FormatRequest.map(node, io, offset, length);
    return switch (extent) {
      case Extent.Data(int file, long start, long bytes) -> BlockStatus.allData(bytes);
      case Extent.Packed(long bytes) -> BlockStatus.allData(bytes);
      case Extent.Zeroes(long bytes) -> new BlockStatus(bytes, false, true, 1);
      case Extent.Absent(long bytes) ->
          below == null ? BlockStatus.inNoLayer(bytes) : below.status(offset, bytes);
    };
  }

  @Override
  public HostRange hostRange(long offset, long length) {
    try {
      return switch (FormatRequest.map(node, io, offset, length)) {
        case Extent.Data(int file, long start, long bytes) -> new HostRange(bytes, start);
        case Extent.Packed(long bytes) -> HostRange.nowhere(bytes);
        case Extent.Zeroes(long bytes) -> HostRange.nowhere(bytes);
        case Extent.Absent(long bytes) ->
            below == null ? HostRange.nowhere(bytes) : below.hostRange(offset, bytes);
      };
    } catch (ImageException e) {
      node.complain(e);
      return HostRange.nowhere(length);
    }
  }

  @Override
  public void close() {
    for (BlockLane lane : lanes) {
      lane.close();
    }
  }
}
