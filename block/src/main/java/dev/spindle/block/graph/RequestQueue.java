// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/** Requests in order of arrival, linked through themselves: queueing allocates nothing. */
final class RequestQueue {
  private BlockRequest first;
  private BlockRequest last;

  boolean isEmpty() {
    return first == null;
  }

  void add(BlockRequest request) {
    request.next = null;
    if (last == null) {
      first = request;
    } else {
      last.next = request;
    }
    last = request;
  }

  /** Takes the oldest; the queue is not empty. */
  BlockRequest remove() {
    BlockRequest request = first;
    first = request.next;
    if (first == null) {
      last = null;
    }
    request.next = null;
    return request;
  }
}
