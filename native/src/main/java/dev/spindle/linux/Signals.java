// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Signals sent to one thread, without handlers: a thread keeps the signal blocked, so that it can
 * only stay pending, interrupt a call that unblocks it for its duration (KVM_RUN), or be taken by
 * {@link #consumePending}.
 *
 * <p>All methods concern the calling platform thread, {@link #send} aside.
 */
public final class Signals {
  /**
   * The signal that kicks a vCPU: the first real-time signal, which neither the JVM nor the C
   * library uses. Unblocked and without a handler it ends the process, so it goes only to threads
   * that block it.
   */
  public static final int KICK = SignalConstants.SIGRTMIN;

  private static final int SET_BYTES = 8;

  private Signals() {}

  /** Blocks a signal in the calling thread. */
  public static void block(int signal) throws LinuxException {
    changeMask(SignalConstants.SIG_BLOCK, bit(signal));
  }

  /** Unblocks a signal in the calling thread. */
  public static void unblock(int signal) throws LinuxException {
    changeMask(SignalConstants.SIG_UNBLOCK, bit(signal));
  }

  /** The calling thread's blocked signals: bit {@code n - 1} for signal {@code n}. */
  public static long blocked() throws LinuxException {
    return changeMask(SignalConstants.SIG_BLOCK, 0);
  }

  /** Whether the calling thread blocks a signal. */
  public static boolean isBlocked(int signal) throws LinuxException {
    return (blocked() & bit(signal)) != 0;
  }

  private static long changeMask(int how, long set) throws LinuxException {
    CallState state = CallState.current();
    MemorySegment scratch = state.scratch();
    scratch.set(ValueLayout.JAVA_LONG, 0, set);
    long address = scratch.address();
    LinuxException.check(
        "rt_sigprocmask",
        "",
        Syscall.invoke(
            state,
            SyscallNumber.RT_SIGPROCMASK,
            how,
            address,
            address + SET_BYTES,
            SET_BYTES,
            0,
            0));
    return scratch.get(ValueLayout.JAVA_LONG, SET_BYTES);
  }

  /**
   * Takes every pending instance of a signal that the calling thread blocks, without waiting.
   *
   * @return how many there were
   */
  public static int consumePending(int signal) throws LinuxException {
    CallState state = CallState.current();
    MemorySegment scratch = state.scratch();
    scratch.set(ValueLayout.JAVA_LONG, 0, bit(signal));
    // A struct timespec of zero: do not wait.
    scratch.set(ValueLayout.JAVA_LONG, 8, 0);
    scratch.set(ValueLayout.JAVA_LONG, 16, 0);
    long address = scratch.address();
    int taken = 0;
    while (true) {
      long result =
          Syscall.invoke(
              state,
              SyscallNumber.RT_SIGTIMEDWAIT,
              address,
              0,
              address + SET_BYTES,
              SET_BYTES,
              0,
              0);
      if (result == -Errno.EAGAIN) {
        return taken;
      }
      if (result != -Errno.EINTR) {
        LinuxException.check("rt_sigtimedwait", "", result);
        taken++;
      }
    }
  }

  /** The kernel's number of the calling thread. */
  public static int gettid() {
    return (int) Syscall.invoke(SyscallNumber.GETTID, 0);
  }

  /**
   * Sends a signal to a thread of this process, which must block it.
   *
   * @param tid from {@link #gettid}
   * @return false if there is no such thread any more
   */
  public static boolean send(int tid, int signal) throws LinuxException {
    long self = Syscall.invoke(SyscallNumber.GETPID, 0);
    long result = Syscall.invoke(SyscallNumber.TGKILL, self, tid, signal);
    if (result == -Errno.ESRCH) {
      return false;
    }
    LinuxException.check("tgkill", "thread " + tid, result);
    return true;
  }

  private static long bit(int signal) {
    if (signal < 1 || signal > SignalConstants.SIGRTMAX) {
      throw new IllegalArgumentException("no signal has the number " + signal);
    }
    return 1L << (signal - 1);
  }
}
