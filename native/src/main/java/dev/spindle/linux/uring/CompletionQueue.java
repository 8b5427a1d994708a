// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.spindle.linux.uring.UringAbi.CqOffsets;
import dev.spindle.linux.uring.UringAbi.Cqe;
import dev.spindle.linux.uring.UringAbi.Params;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The completion side of a ring. Owner thread only; allocates nothing. */
final class CompletionQueue {
  private static final VarHandle INT = JAVA_INT.varHandle();

  private final MemorySegment ring;
  private final long tailOffset;
  private final long headOffset;
  private final long entriesOffset;
  private final int mask;
  private int head;

  CompletionQueue(MemorySegment ring, MemorySegment params) {
    MemorySegment offsets = params.asSlice(Params.CQ_OFF);
    this.ring = ring;
    this.headOffset = offsets.get(JAVA_INT, CqOffsets.HEAD);
    this.tailOffset = offsets.get(JAVA_INT, CqOffsets.TAIL);
    this.entriesOffset = offsets.get(JAVA_INT, CqOffsets.CQES);
    this.mask = ring.get(JAVA_INT, offsets.get(JAVA_INT, CqOffsets.RING_MASK));
    this.head = ring.get(JAVA_INT, headOffset);
  }

  boolean isEmpty() {
    return head == (int) INT.getAcquire(ring, tailOffset);
  }

  /** Hands every posted entry to the handler; returns how many. */
  int reap(CompletionHandler handler) {
    int tail = (int) INT.getAcquire(ring, tailOffset);
    int count = tail - head;
    while (head != tail) {
      long cqe = entriesOffset + (long) (head & mask) * Cqe.SIZE;
      long userData = ring.get(JAVA_LONG, cqe + Cqe.USER_DATA);
      int result = ring.get(JAVA_INT, cqe + Cqe.RES);
      int flags = ring.get(JAVA_INT, cqe + Cqe.FLAGS);
      // The slot goes back to the kernel before the handler runs: a handler that throws must not
      // see the same completion again.
      head++;
      INT.setRelease(ring, headOffset, head);
      handler.complete(userData, result, (flags & UringConstants.CQE_F_MORE) != 0);
    }
    return count;
  }
}
