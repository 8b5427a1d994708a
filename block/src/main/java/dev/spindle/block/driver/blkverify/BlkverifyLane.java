// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkverify;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.FilterLane;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One context's way to both images. Requests that overlap while they are on their way may reach the
 * images in different order, and so make them differ; a guest that cares sends none.
 */
final class BlkverifyLane extends FilterLane {
  private static final Logger LOG = LoggerFactory.getLogger(BlkverifyLane.class);
  private static final int SECTOR = 512;

  private final String name;
  private final AioContext context;
  private final BlockLane test;
  private final BlockLane raw;
  private final ChildRequests children = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  BlkverifyLane(String name, AioContext context, BlockLane test, BlockLane raw) {
    super(test, raw);
    this.name = name;
    this.context = context;
    this.test = test;
    this.raw = raw;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (request.operation == BlockRequest.Operation.WRITE_ZEROES && request.mustBeFast) {
      // One image might refuse what the other one does, and they would differ.
      request.complete(-Errno.EOPNOTSUPP);
      return;
    }
    switch (request.operation) {
      // What the raw image loses in a crash of the host is of no interest.
      case FLUSH -> test.submit(request, offset);
      // What a discarded range reads as is open, so the images could differ.
      case DISCARD -> request.complete(0);
      case READ, WRITE, WRITE_ZEROES ->
          request.completeWith(context, "blkverify-" + name, () -> run(request, offset));
    }
  }

  private int run(BlockRequest request, long offset) {
    return request.operation == BlockRequest.Operation.READ
        ? read(request, offset)
        : both(request, offset, request.buffers, request.buffers);
  }

  /** Through memory of our own: the guest might change its own while it is compared. */
  private int read(BlockRequest request, long offset) {
    try (BounceBuffers.Buffer tested = buffers.take(request.length);
        BounceBuffers.Buffer expected = buffers.take(request.length)) {
      int result = both(request, offset, tested.vector(), expected.vector());
      if (result < 0) {
        return result;
      }
      long place =
          MemorySegment.mismatch(
              tested.memory(), 0, request.length, expected.memory(), 0, request.length);
      if (place >= 0) {
        LOG.error(
            "blkverify '{}': contents mismatch in sector {} (read of {} bytes at {})",
            name,
            (offset + place) / SECTOR,
            request.length,
            offset);
        return -Errno.EIO;
      }
      request.buffers.copyFrom(0, tested.memory(), 0, request.length);
      return 0;
    }
  }

  /** Sends the same to both and compares what comes of it. */
  private int both(BlockRequest request, long offset, IoVector testData, IoVector rawData) {
    try (ChildRequest first = part(request, offset, testData);
        ChildRequest second = part(request, offset, rawData)) {
      first.send(test);
      second.send(raw);
      int tested = first.await();
      int expected = second.await();
      if (tested == expected) {
        return tested;
      }
      LOG.error(
          "blkverify '{}': the {} of {} bytes at sector {} ended with {} in test, and {} in raw",
          name,
          request.operation,
          request.length,
          offset / SECTOR,
          words(tested),
          words(expected));
      return -Errno.EIO;
    }
  }

  private ChildRequest part(BlockRequest request, long offset, IoVector data) {
    ChildRequest part = children.take(data.count());
    part.copy(request, offset);
    part.buffers.addAll(data, 0, data.totalBytes());
    return part;
  }

  private static String words(int result) {
    return result == 0 ? "success" : Errno.name(-result);
  }
}
