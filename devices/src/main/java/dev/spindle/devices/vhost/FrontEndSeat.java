// SPDX-License-Identifier: Apache-2.0
package dev.spindle.devices.vhost;

import dev.spindle.block.aio.AioContext;
import java.util.ArrayList;
import java.util.List;

/**
 * What the lanes of one context share: the queues that have come there, at most one for each lane.
 * The context's thread only, where nothing else is said.
 */
final class FrontEndSeat {
  private final AioContext context;
  private final List<FrontEndQueue> queues = new ArrayList<>();

  /** Guarded by the queues' lock. */
  private int lanes;

  /** Changes whenever a queue goes, so that lanes notice. */
  private int generation;

  private int next;

  FrontEndSeat(AioContext context) {
    this.context = context;
  }

  AioContext context() {
    return context;
  }

  int generation() {
    return generation;
  }

  /** Adds a lane, or takes one away if {@code change} is -1; returns how many there are. */
  int countLanes(int change) {
    lanes += change;
    return lanes;
  }

  boolean wantsMore() {
    return queues.size() < lanes;
  }

  void add(FrontEndQueue queue) {
    queues.add(queue);
  }

  /** A queue for one more lane, shared if there are too few; null if there is none. */
  FrontEndQueue assign() {
    return queues.isEmpty() ? null : queues.get(next++ % queues.size());
  }

  /** Has queues go that are more than the lanes, once nothing is on its way in them. */
  void giveBack(int lanesLeft) {
    while (queues.size() > lanesLeft) {
      generation++;
      queues.removeLast().leave();
    }
  }
}
