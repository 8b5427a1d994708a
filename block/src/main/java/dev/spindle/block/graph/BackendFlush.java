// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/** A flush of a backend that is under way, by control work that need not stay to wait for it. */
public final class BackendFlush {
  private final AwaitedRequest request = new AwaitedRequest(BlockRequest.Operation.FLUSH);
  private final BackendLane lane;

  BackendFlush(BackendLane lane) {
    this.lane = lane;
    lane.context().execute(() -> lane.submitPastGate(request));
  }

  /** Waits until it is over; any thread that may wait. Returns 0 or a negated errno. */
  public int await() {
    return request.await();
  }

  /** Closes its lane, once it is over. Control side, before the backend is closed. */
  public void close() {
    lane.closeInContext();
  }
}
