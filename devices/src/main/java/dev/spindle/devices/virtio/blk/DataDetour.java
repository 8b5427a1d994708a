// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.virtio.blk;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.linux.Errno;
import java.util.ArrayDeque;

/**
 * Keeps the data of requests in memory of our own while they are carried out, for a driver whose
 * memory may go away at any time: an access to that would fail anywhere in the block layer, later
 * than where it is made, or end this process. System calls copy, and fail in their place. The
 * queue's thread only.
 */
final class DataDetour {
  /** All together: what needs more waits until others are done. */
  private static final long MOST_BYTES = 256L << 20;

  private static final long MOST_BYTES_OF_ONE = 64L << 20;

  private final BounceBuffers buffers = new BounceBuffers();
  private final ArrayDeque<VirtioBlkRequest> waiting = new ArrayDeque<>();
  private long inUse;

  /**
   * Gives a READ or WRITE other buffers.
   *
   * @return 0 if it can be sent; EAGAIN, negated, if it has to wait for {@link #next}; or another
   *     negated errno
   */
  int enter(VirtioBlkRequest request) {
    if (request.length > MOST_BYTES_OF_ONE) {
      return -Errno.EFBIG;
    }
    if (!waiting.isEmpty() || !fits(request)) {
      waiting.add(request);
      return -Errno.EAGAIN;
    }
    return copyIn(request);
  }

  private boolean fits(VirtioBlkRequest request) {
    return inUse + request.length <= MOST_BYTES;
  }

  /** The next one that has waited and need not any more, or null. {@link #copyIn} is for it. */
  VirtioBlkRequest next() {
    return waiting.isEmpty() || !fits(waiting.peek()) ? null : waiting.poll();
  }

  /** As {@link #enter}, but it does not wait. */
  int copyIn(VirtioBlkRequest request) {
    BounceBuffers.Buffer buffer;
    try {
      buffer = buffers.take(request.length);
    } catch (OutOfMemoryError e) {
      return -Errno.ENOMEM;
    }
    if (request.operation == Operation.WRITE && !request.buffers.gatherInto(buffer.memory())) {
      buffer.close();
      return -Errno.EFAULT;
    }
    request.buffers.clear();
    request.buffers.addAll(buffer.vector(), 0, request.length);
    request.detour = buffer;
    inUse += request.length;
    return 0;
  }

  /**
   * A request that was sent has come back.
   *
   * @param result 0 or a negated errno
   * @return the same, or another if the driver's memory is not there any more
   */
  int leave(VirtioBlkRequest request, int result) {
    try (BounceBuffers.Buffer buffer = request.detour) {
      request.detour = null;
      inUse -= request.length;
      if (request.operation != Operation.READ || result != 0) {
        return result;
      }
      request.takeWritableData();
      return request.buffers.scatterFrom(buffer.memory()) ? 0 : -Errno.EFAULT;
    }
  }
}
