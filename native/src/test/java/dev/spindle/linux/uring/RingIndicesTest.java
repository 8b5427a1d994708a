// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.spindle.linux.Fd;
import dev.spindle.linux.uring.UringAbi.CqOffsets;
import dev.spindle.linux.uring.UringAbi.Cqe;
import dev.spindle.linux.uring.UringAbi.Params;
import dev.spindle.linux.uring.UringAbi.SqOffsets;
import dev.spindle.linux.uring.UringAbi.Sqe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The indices by which a ring and the kernel hand entries to each other, with another thread in the
 * kernel's place that looks as closely as it can: what is published is whole, and what is not yet
 * free is left alone. Rings this short are full or empty nearly always.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RingIndicesTest {
  private static final VarHandle INT = JAVA_INT.varHandle();
  private static final int ENTRIES = 4;
  private static final int MASK = ENTRIES - 1;
  private static final long ROUNDS = 300_000;

  // Where things are in the memory that both sides share, each index in a cache line of its own.
  private static final int SQ_HEAD = 0;
  private static final int SQ_TAIL = 64;
  private static final int SQ_MASK = 128;
  private static final int SQ_FLAGS = 132;
  private static final int SQ_ARRAY = 192;
  private static final int CQ_HEAD = 256;
  private static final int CQ_TAIL = 320;
  private static final int CQ_MASK = 384;
  private static final int CQES = 448;

  /** What one side does wrong on purpose, to show that the other one notices. */
  enum Fault {
    NONE,
    /** An entry is published before it is filled. */
    PUBLISHES_TOO_EARLY,
    /** An entry is given back before it has been read. */
    GIVES_BACK_TOO_EARLY
  }

  private final Arena arena = Arena.ofShared();
  private final MemorySegment ring = arena.allocate(CQES + (long) ENTRIES * Cqe.SIZE, 64);
  private final MemorySegment entries = arena.allocate((long) ENTRIES * Sqe.SIZE, 64);
  private final MemorySegment params = arena.allocate(Params.SIZE, 8);

  /** The first entry that was not what it should have been, or {@link #ROUNDS}. */
  private final AtomicLong wrong = new AtomicLong(ROUNDS);

  @BeforeEach
  void layOut() {
    params.set(JAVA_INT, Params.SQ_ENTRIES, ENTRIES);
    params.set(JAVA_INT, Params.CQ_ENTRIES, ENTRIES);
    params.set(JAVA_INT, Params.SQ_OFF + SqOffsets.HEAD, SQ_HEAD);
    params.set(JAVA_INT, Params.SQ_OFF + SqOffsets.TAIL, SQ_TAIL);
    params.set(JAVA_INT, Params.SQ_OFF + SqOffsets.RING_MASK, SQ_MASK);
    params.set(JAVA_INT, Params.SQ_OFF + SqOffsets.FLAGS, SQ_FLAGS);
    params.set(JAVA_INT, Params.SQ_OFF + SqOffsets.ARRAY, SQ_ARRAY);
    params.set(JAVA_INT, Params.CQ_OFF + CqOffsets.HEAD, CQ_HEAD);
    params.set(JAVA_INT, Params.CQ_OFF + CqOffsets.TAIL, CQ_TAIL);
    params.set(JAVA_INT, Params.CQ_OFF + CqOffsets.RING_MASK, CQ_MASK);
    params.set(JAVA_INT, Params.CQ_OFF + CqOffsets.CQES, CQES);
    ring.set(JAVA_INT, SQ_MASK, MASK);
    ring.set(JAVA_INT, CQ_MASK, MASK);
    // Indices run on past the largest number.
    for (int index : new int[] {SQ_HEAD, SQ_TAIL, CQ_HEAD, CQ_TAIL}) {
      ring.set(JAVA_INT, index, -(int) ROUNDS / 2);
    }
  }

  @AfterEach
  void close() {
    arena.close();
  }

  @Test
  void submissionsArriveWholeAndInOrder() throws Exception {
    assertEquals(ROUNDS, submit(Fault.NONE));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aFaultInSubmittingIsFound(Fault fault) throws Exception {
    assertNotEquals(ROUNDS, submit(fault), "nobody noticed");
  }

  @Test
  void completionsArriveWholeAndInOrder() throws Exception {
    assertEquals(ROUNDS, complete(Fault.NONE));
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aFaultInCompletingIsFound(Fault fault) throws Exception {
    assertNotEquals(ROUNDS, complete(fault), "nobody noticed");
  }

  /** Waits for the other side; returns false if it has found something. */
  private boolean mayGoOn(int spins) {
    if (spins % 1000 == 999) {
      Thread.yield();
    } else {
      Thread.onSpinWait();
    }
    return wrong.get() == ROUNDS;
  }

  private void found(long number) {
    wrong.compareAndSet(ROUNDS, number);
  }

  private long submit(Fault fault) throws Exception {
    RegisteredMemory none = new RegisteredMemory(Fd.borrowed(0, "no ring"));
    SubmissionQueue queue = new SubmissionQueue(ring, entries, params, none);
    Thread kernel = Thread.ofPlatform().start(() -> consume(fault));
    SplittableRandom random = new SplittableRandom(1);
    for (long i = 0; i < ROUNDS && wrong.get() == ROUNDS; i++) {
      if (fault == Fault.PUBLISHES_TOO_EARLY && hasRoom(SQ_HEAD, SQ_TAIL)) {
        INT.setRelease(ring, SQ_TAIL, (int) INT.get(ring, SQ_TAIL) + 1);
        Thread.yield();
      }
      int spins = 0;
      while (!queue.prepPunchHole(~0, 8 * i, 16 * i, i) && mayGoOn(spins++)) {
        queue.publish();
      }
      if (fault != Fault.NONE || random.nextInt(3) == 0) {
        queue.publish();
      }
    }
    queue.publish();
    kernel.join();
    return wrong.get();
  }

  private boolean hasRoom(int headIndex, int tailIndex) {
    return (int) INT.get(ring, tailIndex) - (int) INT.getAcquire(ring, headIndex) < ENTRIES;
  }

  /** The kernel's part in submitting. */
  private void consume(Fault fault) {
    int head = (int) INT.get(ring, SQ_HEAD);
    for (long i = 0; i < ROUNDS; i++) {
      int spins = 0;
      while (head == (int) INT.getAcquire(ring, SQ_TAIL)) {
        if (!mayGoOn(spins++)) {
          return;
        }
      }
      if (fault == Fault.GIVES_BACK_TOO_EARLY) {
        INT.setRelease(ring, SQ_HEAD, head + 1);
        Thread.yield();
      }
      int slot = ring.get(JAVA_INT, SQ_ARRAY + 4L * (head & MASK));
      long sqe = (long) slot * Sqe.SIZE;
      // The last field first: what is filled in order is missing at the end.
      if (entries.get(JAVA_LONG, sqe + Sqe.USER_DATA) != i
          || entries.get(JAVA_LONG, sqe + Sqe.ADDR) != 16 * i
          || entries.get(JAVA_LONG, sqe + Sqe.OFF) != 8 * i
          || entries.get(JAVA_LONG, sqe + Sqe.USER_DATA) != i) {
        found(i);
        return;
      }
      head++;
      INT.setRelease(ring, SQ_HEAD, head);
    }
  }

  private long complete(Fault fault) throws Exception {
    CompletionQueue queue = new CompletionQueue(ring, params);
    Thread kernel = Thread.ofPlatform().start(() -> post(fault));
    AtomicLong expected = new AtomicLong();
    CompletionHandler handler =
        (userData, result, more) -> {
          long i = expected.getPlain();
          if (userData != i || result != (int) (3 * i) || more != (i % 2 == 0)) {
            found(i);
          }
          expected.setPlain(i + 1);
        };
    int spins = 0;
    while (expected.getPlain() < ROUNDS && mayGoOn(spins++)) {
      if (fault == Fault.GIVES_BACK_TOO_EARLY) {
        giveBackAndRead(handler);
      } else {
        queue.reap(handler);
      }
    }
    kernel.join();
    return wrong.get();
  }

  /** What a completion queue must not do. */
  private void giveBackAndRead(CompletionHandler handler) {
    int head = (int) INT.get(ring, CQ_HEAD);
    if (head != (int) INT.getAcquire(ring, CQ_TAIL)) {
      INT.setRelease(ring, CQ_HEAD, head + 1);
      Thread.yield();
      long cqe = CQES + (long) (head & MASK) * Cqe.SIZE;
      handler.complete(
          ring.get(JAVA_LONG, cqe + Cqe.USER_DATA),
          ring.get(JAVA_INT, cqe + Cqe.RES),
          (ring.get(JAVA_INT, cqe + Cqe.FLAGS) & UringConstants.CQE_F_MORE) != 0);
    }
  }

  /** The kernel's part in completing. */
  private void post(Fault fault) {
    int tail = (int) INT.get(ring, CQ_TAIL);
    for (long i = 0; i < ROUNDS; i++) {
      int spins = 0;
      while (!hasRoom(CQ_HEAD, CQ_TAIL)) {
        if (!mayGoOn(spins++)) {
          return;
        }
      }
      if (fault == Fault.PUBLISHES_TOO_EARLY) {
        INT.setRelease(ring, CQ_TAIL, tail + 1);
        Thread.yield();
      }
      long cqe = CQES + (long) (tail & MASK) * Cqe.SIZE;
      ring.set(JAVA_LONG, cqe + Cqe.USER_DATA, i);
      ring.set(JAVA_INT, cqe + Cqe.RES, (int) (3 * i));
      ring.set(JAVA_INT, cqe + Cqe.FLAGS, i % 2 == 0 ? UringConstants.CQE_F_MORE : 0);
      tail++;
      INT.setRelease(ring, CQ_TAIL, tail);
    }
  }
}
