// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.throttle;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.RequestQueue;

/**
 * What one context sends through a throttle group: requests pass, or wait here in the order of
 * arrival, those that read apart from those that write. Flushes are not limited. Owner thread of
 * the context only, where nothing else is said.
 */
public final class ThrottleQueue {
  /** Where requests go that have waited. */
  @FunctionalInterface
  public interface Onward {
    /** Sends a request on; {@code offset} is what it had been given to wait with. */
    void submit(BlockRequest request, long offset);
  }

  private final Onward onward;

  /** By direction. The owner's; for {@link #withdrawAll} whoever has it stand still. */
  private final RequestQueue[] waiting = {new RequestQueue(), new RequestQueue()};

  private final ContextTimer[] timers = new ContextTimer[waiting.length];
  private final ThrottleLane lane;

  /** Opens a way for a member's requests from a context. */
  public ThrottleQueue(AioContext context, ThrottleMember member, Onward onward) {
    this.onward = onward;
    for (ThrottleDirection direction : ThrottleGroup.DIRECTIONS) {
      timers[direction.ordinal()] = new ContextTimer(context, () -> timerFired(direction));
    }
    this.lane = member.openLane(new Waiting());
  }

  /**
   * Whether a request passes now. Otherwise it waits, and goes {@link Onward} when its turn has
   * come. While there are no limits this costs no lock and a branch or two.
   *
   * @param offset to be given along
   */
  public boolean passes(BlockRequest request, long offset) {
    return lane.isFree() || admit(request, offset);
  }

  private boolean admit(BlockRequest request, long offset) {
    if (request.operation == BlockRequest.Operation.FLUSH) {
      return true;
    }
    ThrottleDirection direction =
        request.operation == BlockRequest.Operation.READ
            ? ThrottleDirection.READ
            : ThrottleDirection.WRITE;
    if (lane.admit(direction, request.length, System.nanoTime())) {
      return true;
    }
    waiting[direction.ordinal()].add(request, offset);
    return false;
  }

  private void timerFired(ThrottleDirection direction) {
    lane.timerFired(direction, System.nanoTime());
  }

  /** Whether nothing waits. */
  public boolean isEmpty() {
    return waiting[0].isEmpty() && waiting[1].isEmpty();
  }

  /**
   * Takes out all that waits, without letting it pass: for somewhere else to wait. Also on another
   * thread, while the context sends nothing here.
   *
   * @param target gets them, in their order for each direction
   */
  public void withdrawAll(RequestQueue target) {
    for (ThrottleDirection direction : ThrottleGroup.DIRECTIONS) {
      RequestQueue queue = waiting[direction.ordinal()];
      while (!queue.isEmpty()) {
        long offset = queue.firstOffset();
        target.add(queue.remove(), offset);
        lane.withdrawn(direction, System.nanoTime());
      }
    }
  }

  /**
   * Lets everything pass, at once, until {@link #hurryEnd}; see {@link ThrottleLane#hurryBegin}.
   */
  public void hurryBegin() {
    lane.hurryBegin(System.nanoTime());
  }

  /** Ends a {@link #hurryBegin}. */
  public void hurryEnd() {
    lane.hurryEnd(System.nanoTime());
  }

  /** Ends the way. Nothing may wait. */
  public void close() {
    lane.close();
    for (ContextTimer timer : timers) {
      timer.close();
    }
  }

  /** What the group sees of it. */
  private final class Waiting implements ThrottledRequests {
    @Override
    public long oldestBytes(ThrottleDirection direction) {
      return waiting[direction.ordinal()].first().length;
    }

    @Override
    public void release(ThrottleDirection direction) {
      RequestQueue queue = waiting[direction.ordinal()];
      long offset = queue.firstOffset();
      onward.submit(queue.remove(), offset);
    }

    @Override
    public void startTimer(ThrottleDirection direction, long deadlineNs) {
      timers[direction.ordinal()].start(deadlineNs);
    }
  }
}
