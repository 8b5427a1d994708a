// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.graph;

import dev.spindle.block.graph.BlockRequest.Operation;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * What has been asked of a disk and has ended. Counted by one thread at a time, so that counting
 * costs a plain add; any thread may read and sees a recent value.
 */
public final class RequestCounts {
  private static final Operation[] OPERATIONS = Operation.values();

  /** For each operation: requests that went well, their bytes, requests that failed. */
  private static final int EACH = 3;

  private static final int HIGHEST_WRITE = EACH * OPERATIONS.length;

  private final AtomicLongArray values = new AtomicLongArray(HIGHEST_WRITE + 1);

  /** Nothing yet. */
  public RequestCounts() {}

  /** A request has ended. The counting thread only; allocates nothing. */
  void count(BlockRequest request, int result) {
    int first = EACH * request.operation.ordinal();
    if (result != 0) {
      add(first + 2, 1);
      return;
    }
    add(first, 1);
    add(first + 1, request.length);
    if (request.operation == Operation.WRITE) {
      raise(request.offset + request.length);
    }
  }

  private void add(int index, long amount) {
    values.setOpaque(index, values.getPlain(index) + amount);
  }

  private void raise(long end) {
    if (end > values.getPlain(HIGHEST_WRITE)) {
      values.setOpaque(HIGHEST_WRITE, end);
    }
  }

  /** Adds what has been counted elsewhere. The counting thread only. */
  void addAll(RequestCounts other) {
    for (int i = 0; i < HIGHEST_WRITE; i++) {
      add(i, other.values.getOpaque(i));
    }
    raise(other.highestWrite());
  }

  /** Requests that went well. Any thread. */
  public long requests(Operation operation) {
    return values.getOpaque(EACH * operation.ordinal());
  }

  /** Bytes of {@link #requests}. Any thread. */
  public long bytes(Operation operation) {
    return values.getOpaque(EACH * operation.ordinal() + 1);
  }

  /** Requests that failed, those refused at once among them. Any thread. */
  public long failed(Operation operation) {
    return values.getOpaque(EACH * operation.ordinal() + 2);
  }

  /** Offset of the last byte written, plus one; 0 if none has been. Any thread. */
  public long highestWrite() {
    return values.getOpaque(HIGHEST_WRITE);
  }
}
