// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.job.CopyMode;
import dev.spindle.linux.Errno;

/**
 * Something that changes the source, on its way through the filter: it goes to the source, and then
 * is noted as what the target lacks, or goes there as well. Pooled by its lane.
 */
final class MirrorWrite implements ChildRequest.Owner {
  private final MirrorLane lane;
  private final MirrorState state;
  private final Overlaps.Span span;
  private BlockRequest request;
  private long offset;

  /** Whether it goes to the target, too. */
  private boolean blocking;

  /** What goes to both: the owner of the data might change it in between. Null if not needed. */
  private BounceBuffers.Buffer data;

  private boolean atTarget;

  MirrorWrite(MirrorLane lane) {
    this.lane = lane;
    this.state = lane.state;
    this.span = lane.state.overlaps.new Span();
  }

  void start(BlockRequest newRequest, long newOffset) {
    request = newRequest;
    offset = newOffset;
    atTarget = false;
    blocking = state.copyMode() == CopyMode.WRITE_BLOCKING;
    boolean copies = blocking && request.operation == Operation.WRITE;
    if (copies) {
      try {
        data = lane.buffers.take(request.length);
      } catch (OutOfMemoryError e) {
        finish(-Errno.ENOMEM);
        return;
      }
      request.buffers.copyTo(0, data.memory(), 0, request.length);
    }
    ChildRequest child = child();
    if (request.operation == Operation.WRITE && !copies) {
      child.buffers.addAll(request.buffers, 0, request.length);
    }
    // Nothing fails from here on but the request itself, whose end ends it.
    if (blocking) {
      span.begin(offset, request.length);
    }
    child.send(lane.source, this);
  }

  private ChildRequest child() {
    ChildRequest child = lane.children.take(data == null ? request.buffers.count() : 1);
    child.copy(request, offset);
    if (data != null) {
      child.buffers.addAll(data.vector(), 0, request.length);
    }
    return child;
  }

  @Override
  public void ended(ChildRequest child, int result) {
    child.close();
    if (atTarget) {
      targetEnded(result);
    } else if (blocking && result == 0) {
      atTarget = true;
      ChildRequest copy = child();
      // The source has done it. A target that would refuse is behind the source otherwise.
      copy.mustBeFast = false;
      copy.send(lane.target, this);
    } else {
      // Of a write that failed, nobody knows how much was written.
      state.mark(offset, request.length);
      if (blocking) {
        span.end();
      }
      finish(result);
    }
  }

  /** What the target lacks does not concern whoever writes to the source. */
  private void targetEnded(int result) {
    boolean met = span.end();
    if (met || result < 0) {
      state.mark(offset, request.length);
    }
    boolean tells = result < 0 && state.targetFailed(-result);
    finish(0);
    if (tells) {
      // Comes last: it takes memory, and the job would find the error sooner or later anyway.
      state.tellOfTargetError();
    }
  }

  private void finish(int result) {
    BlockRequest ended = request;
    request = null;
    if (data != null) {
      data.close();
      data = null;
    }
    lane.putBack(this);
    ended.complete(result);
  }
}
