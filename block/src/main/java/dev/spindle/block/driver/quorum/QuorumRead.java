// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.linux.Errno;

/**
 * A read that all members carry out, and whose result is what enough of them agree on.
 * Straight-line code on the request's own context.
 */
final class QuorumRead implements AutoCloseable {
  private final QuorumLane lane;
  private final BlockRequest request;
  private final long offset;
  private final BounceBuffers.Buffer[] data;
  private final int[] results;

  /** The member whose data won, once there is one. */
  private int winner;

  QuorumRead(QuorumLane lane, BlockRequest request, long offset) {
    this.lane = lane;
    this.request = request;
    this.offset = offset;
    this.data = new BounceBuffers.Buffer[lane.size()];
    this.results = new int[lane.size()];
  }

  int run() {
    ChildRequest[] parts = new ChildRequest[data.length];
    for (int i = 0; i < data.length; i++) {
      data[i] = lane.buffers().take(request.length);
    }
    for (int i = 0; i < data.length; i++) {
      parts[i] = lane.part(request, offset, data[i].vector());
      parts[i].send(lane.member(i));
    }
    for (int i = 0; i < data.length; i++) {
      results[i] = parts[i].await();
      parts[i].close();
    }
    return vote();
  }

  private int vote() {
    int result = Votes.outcome(results, lane.threshold());
    if (result < 0) {
      report();
      return result;
    }
    int most = 0;
    for (int i = 0; i < data.length; i++) {
      int votes = votesFor(i);
      if (votes > most) {
        winner = i;
        most = votes;
      }
    }
    if (most < lane.threshold()) {
      lane.health().noQuorum(offset, request.length);
      return -Errno.EIO;
    }
    report();
    request.buffers.copyFrom(0, data[winner].memory(), 0, request.length);
    return 0;
  }

  private int votesFor(int member) {
    int votes = 0;
    for (int other = 0; results[member] == 0 && other < data.length; other++) {
      if (agree(member, other)) {
        votes++;
      }
    }
    return votes;
  }

  private boolean agree(int member, int other) {
    return results[member] == 0
        && results[other] == 0
        && data[member].memory().mismatch(data[other].memory()) < 0;
  }

  private void report() {
    for (int i = 0; i < data.length; i++) {
      if (isOutvoted(i)) {
        lane.health().outvoted(i, offset);
      } else {
        lane.health().ended(i, results[i], offset);
      }
    }
  }

  private boolean isOutvoted(int member) {
    return results[winner] == 0 && results[member] == 0 && !agree(member, winner);
  }

  /** Whether somebody was outvoted. */
  boolean differ() {
    for (int i = 0; i < data.length; i++) {
      if (isOutvoted(i)) {
        return true;
      }
    }
    return false;
  }

  /** Writes what won to those who were outvoted; what fails then is the next read's business. */
  void rewriteOutvoted() {
    for (int i = 0; i < data.length; i++) {
      if (isOutvoted(i)) {
        lane.health().ended(i, lane.write(i, data[winner], offset), offset);
      }
    }
  }

  @Override
  public void close() {
    for (BounceBuffers.Buffer buffer : data) {
      if (buffer != null) {
        buffer.close();
      }
    }
  }
}
