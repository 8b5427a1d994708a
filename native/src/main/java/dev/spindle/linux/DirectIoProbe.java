// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Finds O_DIRECT's alignment by trying, for kernels and file systems that do not tell it. */
final class DirectIoProbe {
  private static final int PAGE = 4096;

  private DirectIoProbe() {}

  /** Tries on a description of its own, so that the caller's flags stay untouched. */
  static DirectIoAlignment probe(Fd fd) throws LinuxException {
    long flags = FileConstants.O_RDONLY | FileConstants.O_DIRECT | FileConstants.O_CLOEXEC;
    try (Arena arena = Arena.ofConfined()) {
      long self = arena.allocateFrom("/proc/self/fd/" + fd.number()).address();
      long result = Syscall.invoke(SyscallNumber.OPENAT, FileConstants.AT_FDCWD, self, flags, 0);
      if (result == -Errno.EINVAL) {
        return new DirectIoAlignment(0, 0);
      }
      try (Fd direct =
          Fd.owning((int) LinuxException.check("open(O_DIRECT)", fd.name(), result), fd.name())) {
        MemorySegment buffer = arena.allocate(PAGE, PAGE);
        for (int size = 512; size < PAGE; size *= 2) {
          if (Syscall.invoke(SyscallNumber.PREAD64, direct.number(), buffer.address(), size, 0)
              >= 0) {
            // Memory has the same needs at most; devices that want less say so through statx.
            return new DirectIoAlignment(size, size);
          }
        }
        return new DirectIoAlignment(PAGE, PAGE);
      }
    }
  }
}
