// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cbw;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.FilterLane;
import dev.spindle.linux.Errno;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The filter as one context sees it. */
final class CbwLane extends FilterLane {
  private static final Logger LOG = LoggerFactory.getLogger(CbwLane.class);

  private final SavedState state;
  private final OnCbwError onError;
  private final AioContext context;
  private final BlockLane target;
  private final ChildRequests children = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();

  CbwLane(
      SavedState state, OnCbwError onError, AioContext context, BlockLane file, BlockLane target) {
    super(file, target);
    this.state = state;
    this.onError = onError;
    this.context = context;
    this.target = target;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    boolean destroys =
        switch (request.operation) {
          case READ, FLUSH -> false;
          case WRITE, WRITE_ZEROES, DISCARD -> request.length > 0;
        };
    if (destroys && state.isUnsaved(offset, request.length)) {
      context.startVirtual("copy-before-write", () -> saveAndSubmit(request, offset));
    } else {
      below.submit(request, offset);
    }
  }

  private void saveAndSubmit(BlockRequest request, long offset) {
    int result = save(offset, request.length);
    if (result < 0) {
      switch (onError) {
        case BREAK_GUEST_WRITE -> {
          request.complete(result);
          return;
        }
        case BREAK_SNAPSHOT -> state.breakOff(-result);
      }
    }
    below.sendOn(request, offset);
  }

  /** Whatever goes wrong, somebody waits for the write. */
  private int save(long offset, long length) {
    try {
      return state.save(offset, length, this::copy);
    } catch (OutOfMemoryError e) {
      return -Errno.ENOMEM;
    } catch (RuntimeException | Error e) {
      LOG.error("what is about to be overwritten could not be saved", e);
      return -Errno.EIO;
    }
  }

  private int copy(long offset, long length) {
    try (BounceBuffers.Buffer buffer = buffers.take(length)) {
      int result = run(Operation.READ, below, offset, buffer);
      return result < 0 ? result : run(Operation.WRITE, target, offset, buffer);
    } catch (OutOfMemoryError e) {
      return -Errno.ENOMEM;
    }
  }

  private int run(Operation operation, BlockLane where, long offset, BounceBuffers.Buffer data) {
    try (ChildRequest request = children.take(1)) {
      request.operation = operation;
      request.offset = offset;
      request.length = data.memory().byteSize();
      request.forceUnitAccess = false;
      request.mayUnmap = false;
      request.buffers.addAll(data.vector(), 0, request.length);
      return request.run(where);
    }
  }
}
