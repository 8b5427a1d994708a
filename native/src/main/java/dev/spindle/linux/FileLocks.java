// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.FlockLayout;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Record locks owned by an open file description (fcntl(2), "OFD locks"): unlike the older kind
 * they conflict between two descriptors of one process too, and end when the description is closed,
 * not with any descriptor of the file.
 */
final class FileLocks {
  private FileLocks() {}

  static boolean trySet(Fd fd, int type, long start, long length) throws LinuxException {
    CallState state = CallState.current();
    fill(state.scratch(), type, start, length);
    long result = call(state, fd, FileConstants.F_OFD_SETLK);
    if (result == -Errno.EAGAIN || result == -Errno.EACCES) {
      return false;
    }
    LinuxException.check("fcntl(F_OFD_SETLK)", fd.name(), result);
    return true;
  }

  static boolean wouldConflict(Fd fd, int type, long start, long length) throws LinuxException {
    CallState state = CallState.current();
    MemorySegment flock = state.scratch();
    fill(flock, type, start, length);
    long result = call(state, fd, FileConstants.F_OFD_GETLK);
    LinuxException.check("fcntl(F_OFD_GETLK)", fd.name(), result);
    return flock.get(ValueLayout.JAVA_SHORT, FlockLayout.L_TYPE) != FileConstants.F_UNLCK;
  }

  private static void fill(MemorySegment flock, int type, long start, long length) {
    if (start < 0 || length <= 0) {
      throw new IllegalArgumentException("impossible lock: " + length + " bytes at " + start);
    }
    flock.asSlice(0, FlockLayout.SIZE).fill((byte) 0);
    flock.set(ValueLayout.JAVA_SHORT, FlockLayout.L_TYPE, (short) type);
    flock.set(ValueLayout.JAVA_SHORT, FlockLayout.L_WHENCE, (short) FileConstants.SEEK_SET);
    flock.set(ValueLayout.JAVA_LONG, FlockLayout.L_START, start);
    flock.set(ValueLayout.JAVA_LONG, FlockLayout.L_LEN, length);
  }

  private static long call(CallState state, Fd fd, int command) {
    return Syscall.invoke(
        state, SyscallNumber.FCNTL, fd.number(), command, state.scratch().address(), 0, 0, 0);
  }
}
