// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

/**
 * Requests in order of arrival, linked through themselves: queueing allocates nothing. A request is
 * in one queue at a time. One thread at a time.
 */
public final class RequestQueue {
  private BlockRequest first;
  private BlockRequest last;

  /** Whether nothing waits. */
  public boolean isEmpty() {
    return first == null;
  }

  /**
   * Adds a request as the last one.
   *
   * @param offset where it is to go in the node that keeps it waiting, in bytes
   */
  public void add(BlockRequest request, long offset) {
    request.next = null;
    request.waitingOffset = offset;
    if (last == null) {
      first = request;
    } else {
      last.next = request;
    }
    last = request;
  }

  /** The oldest; the queue is not empty. */
  public BlockRequest first() {
    return first;
  }

  /** Where the oldest is to go, in bytes; the queue is not empty. */
  public long firstOffset() {
    return first.waitingOffset;
  }

  /** Takes the oldest; the queue is not empty. */
  public BlockRequest remove() {
    BlockRequest request = first;
    first = request.next;
    if (first == null) {
      last = null;
    }
    request.next = null;
    return request;
  }

  /** Takes over another queue's requests, behind those that wait here. */
  public void addAll(RequestQueue other) {
    if (other.first == null) {
      return;
    }
    if (last == null) {
      first = other.first;
    } else {
      last.next = other.first;
    }
    last = other.last;
    other.first = null;
    other.last = null;
  }
}
