// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.bitmap.DirtyBitmaps;

/**
 * The way into a node that has dirty bitmaps, as one context sees it: whatever changes the node is
 * marked when it has been carried out, well or not, before whoever asked for it hears of that.
 */
sealed class MarkingLane extends FilterLane {
  private final DirtyBitmaps bitmaps;
  private final ChildRequests children = new ChildRequests();

  /** Writes not in use. */
  private Write free;

  private MarkingLane(BlockLane below, DirtyBitmaps bitmaps) {
    super(below);
    this.bitmaps = bitmaps;
  }

  /** The way that marks, and shows what {@code below} shows. */
  static BlockLane of(BlockLane below, DirtyBitmaps bitmaps) {
    return below instanceof DebugEvents events
        ? new Debugged(below, events, bitmaps)
        : new MarkingLane(below, bitmaps);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (changes(request)) {
      child(request, offset).send(below, write(request));
    } else {
      below.submit(request, offset);
    }
  }

  static boolean changes(BlockRequest request) {
    return switch (request.operation) {
      case READ, FLUSH -> false;
      case WRITE, WRITE_ZEROES, DISCARD -> true;
    };
  }

  final ChildRequest child(BlockRequest request, long offset) {
    ChildRequest child = children.take(request.buffers.count());
    child.copy(request, offset);
    if (request.operation == BlockRequest.Operation.WRITE) {
      child.buffers.addAll(request.buffers, 0, request.length);
    }
    return child;
  }

  final Write write(BlockRequest request) {
    Write write = free;
    if (write == null) {
      write = new Write();
    } else {
      free = write.next;
    }
    write.request = request;
    return write;
  }

  /** Something that changes the node, on its way. Pooled. */
  final class Write implements ChildRequest.Owner {
    private BlockRequest request;
    private Write next;

    @Override
    public void ended(ChildRequest child, int result) {
      bitmaps.mark(child.offset, child.length);
      child.close();
      BlockRequest ended = request;
      request = null;
      next = free;
      free = this;
      ended.complete(result);
    }
  }

  /** Where the node wants to hear what happens to its parent's requests. */
  private static final class Debugged extends MarkingLane implements DebugEvents {
    private final DebugEvents events;

    Debugged(BlockLane below, DebugEvents events, DirtyBitmaps bitmaps) {
      super(below, bitmaps);
      this.events = events;
    }

    @Override
    public void fire(BlkdebugEvent event) {
      events.fire(event);
    }

    @Override
    public void submit(BlockRequest request, long offset, BlkdebugEvent... before) {
      if (changes(request)) {
        child(request, offset).send(events, before, write(request));
      } else {
        events.submit(request, offset, before);
      }
    }
  }
}
