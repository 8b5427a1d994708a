// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The native memory one system call needs around itself: the captured {@code errno}, and a little
 * scratch space for small arguments. Allocated once per thread (or once per owner, such as a ring),
 * so that a call allocates nothing.
 *
 * <p>A call state belongs to one call at a time.
 */
public final class CallState {
  /** Bytes of {@link #scratch()}. */
  public static final int SCRATCH_SIZE = 128;

  private static final int ERRNO_AREA = 16;
  private static final ThreadLocal<CallState> CURRENT = ThreadLocal.withInitial(CallState::new);

  private final MemorySegment capture;
  private final MemorySegment scratch;

  /** A call state of its own, for an owner that calls from one thread at a time. */
  public CallState() {
    MemorySegment memory = Arena.ofAuto().allocate(ERRNO_AREA + SCRATCH_SIZE, 16);
    capture = memory.asSlice(0, ERRNO_AREA);
    scratch = memory.asSlice(ERRNO_AREA, SCRATCH_SIZE);
  }

  /** The calling thread's own call state. Allocates only on a thread's first use. */
  public static CallState current() {
    return CURRENT.get();
  }

  /**
   * Scratch memory, {@link #SCRATCH_SIZE} bytes, aligned to 16. Its content lasts until the next
   * use of this call state.
   */
  public MemorySegment scratch() {
    return scratch;
  }

  /**
   * Scratch memory that starts with zeroes.
   *
   * @param bytes how many zeroes at least, up to {@link #SCRATCH_SIZE}
   */
  public MemorySegment zeroedScratch(int bytes) {
    for (int at = 0; at < bytes; at += Long.BYTES) {
      scratch.set(ValueLayout.JAVA_LONG, at, 0);
    }
    return scratch;
  }

  MemorySegment capture() {
    return capture;
  }

  int errno() {
    return capture.get(ValueLayout.JAVA_INT, 0);
  }
}
