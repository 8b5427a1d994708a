// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CName;
import dev.spindle.linux.internal.CStruct;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A timer that is a descriptor (timerfd_create(2)), on the monotonic clock, which is also {@link
 * System#nanoTime}'s. Non-blocking and closed on exec. Any thread may use it; nothing allocates.
 */
public final class TimerFd implements AutoCloseable {
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  @CStruct(value = "struct itimerspec", headers = "sys/timerfd.h")
  static final class Layout {
    static final int SIZE = 32;

    @CName("it_interval.tv_sec")
    static final int INTERVAL_SECONDS = 0;

    @CName("it_interval.tv_nsec")
    static final int INTERVAL_NANOS = 8;

    @CName("it_value.tv_sec")
    static final int VALUE_SECONDS = 16;

    @CName("it_value.tv_nsec")
    static final int VALUE_NANOS = 24;
  }

  private final Fd fd;

  private TimerFd(Fd fd) {
    this.fd = fd;
  }

  /** Creates a timer that is not running. */
  public static TimerFd create() throws LinuxException {
    long result =
        Syscall.invoke(
            SyscallNumber.TIMERFD_CREATE,
            FileConstants.CLOCK_MONOTONIC,
            FileConstants.TFD_CLOEXEC | FileConstants.TFD_NONBLOCK);
    return new TimerFd(
        Fd.owning((int) LinuxException.check("timerfd_create", "", result), "timerfd"));
  }

  /** The descriptor, owned by this object; readable once the timer has expired. */
  public Fd fd() {
    return fd;
  }

  /**
   * Starts the timer, replacing what it was set to.
   *
   * @param delay nanoseconds from now; 0 or less expires at once
   */
  public void arm(long delay) {
    set(0, Math.max(1, delay), 0);
  }

  /**
   * Starts the timer for a point in time.
   *
   * @param deadline nanoseconds, as {@link System#nanoTime} counts; may be past
   */
  public void armAt(long deadline) {
    set(FileConstants.TFD_TIMER_ABSTIME, Math.max(1, deadline), 0);
  }

  /**
   * Starts the timer again and again.
   *
   * @param period nanoseconds, positive; the first expiry is one period from now
   */
  public void armPeriodic(long period) {
    if (period <= 0) {
      throw new IllegalArgumentException("impossible period: " + period);
    }
    set(0, period, period);
  }

  /** Stops the timer. An expiry that nobody has read is forgotten. */
  public void disarm() {
    set(0, 0, 0);
  }

  private void set(int flags, long value, long interval) {
    CallState state = CallState.current();
    MemorySegment spec = state.scratch();
    spec.set(ValueLayout.JAVA_LONG, Layout.INTERVAL_SECONDS, interval / NANOS_PER_SECOND);
    spec.set(ValueLayout.JAVA_LONG, Layout.INTERVAL_NANOS, interval % NANOS_PER_SECOND);
    spec.set(ValueLayout.JAVA_LONG, Layout.VALUE_SECONDS, value / NANOS_PER_SECOND);
    spec.set(ValueLayout.JAVA_LONG, Layout.VALUE_NANOS, value % NANOS_PER_SECOND);
    long result =
        Syscall.invoke(
            state, SyscallNumber.TIMERFD_SETTIME, fd.number(), flags, spec.address(), 0, 0, 0);
    if (result < 0) {
      throw failure("timerfd_settime", result);
    }
  }

  /**
   * Takes the number of expiries since the last read.
   *
   * @return 0 if there was none
   */
  public long read() {
    CallState state = CallState.current();
    long result =
        Syscall.invoke(
            state, SyscallNumber.READ, fd.number(), state.scratch().address(), Long.BYTES, 0, 0, 0);
    if (result == -Errno.EAGAIN) {
      return 0;
    }
    if (result < 0) {
      throw failure("read", result);
    }
    return state.scratch().get(ValueLayout.JAVA_LONG, 0);
  }

  private UncheckedIOException failure(String call, long result) {
    return new UncheckedIOException(new LinuxException(call, fd.name(), (int) -result));
  }

  @Override
  public void close() {
    fd.close();
  }
}
