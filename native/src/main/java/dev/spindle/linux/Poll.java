// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CStruct;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Waits for a few descriptors (ppoll(2)), for threads that have no ring: one that reads a terminal
 * until an {@link EventFd} tells it to stop, for example.
 */
public final class Poll {
  /** {@link #await}: nothing was ready in time. */
  public static final int TIMED_OUT = -1;

  /** {@link #await}: no limit. */
  public static final long FOREVER = -1;

  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  @CStruct(value = "struct pollfd", headers = "poll.h")
  static final class Layout {
    static final int SIZE = 8;
    static final int FD = 0;
    static final int EVENTS = 4;
    static final int REVENTS = 6;
  }

  private Poll() {}

  /**
   * Waits until a descriptor can be read without waiting, which also means that its other end is
   * closed or that it is in error.
   *
   * @param timeoutNanos nanoseconds, 0 not to wait, or {@link #FOREVER}
   * @return the index of the first descriptor that is ready, or {@link #TIMED_OUT}
   */
  public static int await(long timeoutNanos, Fd... descriptors) throws LinuxException {
    return await(FileConstants.POLLIN, timeoutNanos, descriptors);
  }

  /**
   * Waits until a descriptor can be written to without waiting, or is in error.
   *
   * @param timeoutNanos as for {@link #await}
   * @return whether it can
   */
  public static boolean awaitRoom(long timeoutNanos, Fd descriptor) throws LinuxException {
    return await(FileConstants.POLLOUT, timeoutNanos, descriptor) != TIMED_OUT;
  }

  private static int await(int event, long timeoutNanos, Fd... descriptors) throws LinuxException {
    long deadline = System.nanoTime() + timeoutNanos;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment list = arena.allocate((long) descriptors.length * Layout.SIZE, 8);
      for (int i = 0; i < descriptors.length; i++) {
        long at = (long) i * Layout.SIZE;
        list.set(ValueLayout.JAVA_INT, at + Layout.FD, descriptors[i].number());
        list.set(ValueLayout.JAVA_SHORT, at + Layout.EVENTS, (short) event);
      }
      MemorySegment timespec = arena.allocate(ValueLayout.JAVA_LONG, 2);
      long result;
      do {
        long left = Math.max(0, deadline - System.nanoTime());
        timespec.setAtIndex(ValueLayout.JAVA_LONG, 0, left / NANOS_PER_SECOND);
        timespec.setAtIndex(ValueLayout.JAVA_LONG, 1, left % NANOS_PER_SECOND);
        long timeout = timeoutNanos == FOREVER ? 0 : timespec.address();
        result =
            Syscall.invoke(
                SyscallNumber.PPOLL, list.address(), descriptors.length, timeout, 0, 0, 0);
      } while (result == -Errno.EINTR);
      LinuxException.check("ppoll", "", result);
      for (int i = 0; i < descriptors.length; i++) {
        if (list.get(ValueLayout.JAVA_SHORT, (long) i * Layout.SIZE + Layout.REVENTS) != 0) {
          return i;
        }
      }
      return TIMED_OUT;
    }
  }

  /**
   * Whether both directions of a connection are closed, whatever is left to read; a peer that has
   * only stopped sending has not hung up. Does not wait.
   */
  public static boolean isHungUp(Fd connection) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      // No event is asked for: those that matter are reported always.
      MemorySegment entry = arena.allocate(Layout.SIZE, 8);
      entry.set(ValueLayout.JAVA_INT, Layout.FD, connection.number());
      MemorySegment noTime = arena.allocate(ValueLayout.JAVA_LONG, 2);
      long result;
      do {
        result = Syscall.invoke(SyscallNumber.PPOLL, entry.address(), 1, noTime.address(), 0, 0, 0);
      } while (result == -Errno.EINTR);
      LinuxException.check("ppoll", connection.name(), result);
      int events = entry.get(ValueLayout.JAVA_SHORT, Layout.REVENTS);
      return (events & (FileConstants.POLLHUP | FileConstants.POLLERR)) != 0;
    }
  }
}
