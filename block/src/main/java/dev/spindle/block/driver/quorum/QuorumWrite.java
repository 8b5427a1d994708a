// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.ChildRequest;

/**
 * A request that goes to all members at once and ends when all have ended it. Pooled by its lane.
 */
final class QuorumWrite implements ChildRequest.Owner {
  private final QuorumLane lane;
  private final int[] results;
  private BlockRequest request;
  private long offset;
  private int pending;

  QuorumWrite(QuorumLane lane, int members) {
    this.lane = lane;
    this.results = new int[members];
  }

  void start(BlockRequest started, long startOffset) {
    request = started;
    offset = startOffset;
    int members = results.length;
    pending = members;
    // The last one may end at once and put this object back, so nothing is read afterwards.
    for (int i = 0; i < members; i++) {
      ChildRequest part = lane.part(started, startOffset, started.buffers);
      part.index = i;
      part.send(lane.member(i), this);
    }
  }

  @Override
  public void ended(ChildRequest part, int result) {
    results[part.index] = result;
    lane.health().ended(part.index, result, offset);
    part.close();
    if (--pending == 0) {
      BlockRequest done = request;
      request = null;
      int outcome = Votes.outcome(results, lane.threshold());
      lane.putBack(this);
      done.complete(outcome);
    }
  }
}
