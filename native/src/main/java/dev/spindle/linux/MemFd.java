// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.StatfsConstants;
import dev.spindle.linux.internal.StatfsLayout;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Anonymous memory with a descriptor (memfd_create(2)), so that it can be mapped here, given to KVM
 * and passed to another process. Its size is fixed by seals, so that no holder can cut it off under
 * a mapping.
 */
public final class MemFd implements AutoCloseable {
  /** The kind of page behind the memory. */
  public enum Pages {
    /** The system's ordinary pages (4 KiB). */
    NORMAL,
    /** 2 MiB pages from the kernel's hugetlb pool; mapping fails if it has too few. */
    HUGE_2M
  }

  private static final long HUGE_PAGE = 2L << 20;

  private final Fd fd;
  private final long size;

  private MemFd(Fd fd, long size) {
    this.fd = fd;
    this.size = size;
  }

  /**
   * Creates zeroed memory.
   *
   * @param name shown in /proc/PID/maps, at most 249 bytes
   * @param size bytes, positive; a multiple of 2 MiB for huge pages
   */
  public static MemFd create(String name, long size, Pages pages) throws LinuxException {
    if (size <= 0 || (pages == Pages.HUGE_2M && size % HUGE_PAGE != 0)) {
      throw new IllegalArgumentException("impossible size " + size + " for memory of " + pages);
    }
    long flags = FileConstants.MFD_CLOEXEC | FileConstants.MFD_ALLOW_SEALING;
    if (pages == Pages.HUGE_2M) {
      flags |= FileConstants.MFD_HUGETLB | FileConstants.MFD_HUGE_2MB;
    }
    Fd fd;
    try (Arena arena = Arena.ofConfined()) {
      long result =
          Syscall.invoke(SyscallNumber.MEMFD_CREATE, arena.allocateFrom(name).address(), flags);
      fd = Fd.owning((int) LinuxException.check("memfd_create", name, result), "memfd " + name);
    }
    try {
      LinuxException.check(
          "ftruncate", fd.name(), Syscall.invoke(SyscallNumber.FTRUNCATE, fd.number(), size));
      long seals =
          FileConstants.F_SEAL_SHRINK | FileConstants.F_SEAL_GROW | FileConstants.F_SEAL_SEAL;
      LinuxException.check(
          "fcntl(F_ADD_SEALS)",
          fd.name(),
          Syscall.invoke(SyscallNumber.FCNTL, fd.number(), FileConstants.F_ADD_SEALS, seals));
      return new MemFd(fd, size);
    } catch (LinuxException e) {
      fd.close();
      throw e;
    }
  }

  /**
   * Sees to it that pages of a file of somebody else's are there for whoever maps it. Asks no file
   * system that could make us wait.
   *
   * @param fd any file, open for writing
   * @return whether they are: only memory made for being sealed can promise that, and only of
   *     ordinary pages. Huge ones come from a pool that may be empty when a hole that somebody has
   *     made is touched again.
   */
  public static boolean sealAgainstLoss(Fd fd) {
    Syscall.invoke(
        SyscallNumber.FCNTL, fd.number(), FileConstants.F_ADD_SEALS, FileConstants.F_SEAL_SHRINK);
    long seals = Syscall.invoke(SyscallNumber.FCNTL, fd.number(), FileConstants.F_GET_SEALS, 0);
    return seals >= 0 && (seals & FileConstants.F_SEAL_SHRINK) != 0 && !isOfHugePages(fd);
  }

  /** Of memory that has seals, which is on tmpfs or hugetlbfs. */
  private static boolean isOfHugePages(Fd fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment about = arena.allocate(StatfsLayout.SIZE, 8);
      long result = Syscall.invoke(SyscallNumber.FSTATFS, fd.number(), about.address());
      return result < 0
          || about.get(ValueLayout.JAVA_INT, StatfsLayout.F_TYPE)
              == StatfsConstants.HUGETLBFS_MAGIC;
    }
  }

  /**
   * Whether a file of somebody else's is nothing but memory: a memfd, or a file on tmpfs or
   * hugetlbfs. Asks no file system, which could make us wait: that of FUSE is a process.
   */
  public static boolean isMemory(Fd fd) {
    return Syscall.invoke(SyscallNumber.FCNTL, fd.number(), FileConstants.F_GET_SEALS, 0) >= 0;
  }

  /** The descriptor, owned by this object. */
  public Fd fd() {
    return fd;
  }

  /** Bytes. */
  public long size() {
    return size;
  }

  /** Maps all of it, shared, for reading and writing. The mapping outlives {@link #close}. */
  public Mapping map() throws LinuxException {
    return Mapping.shared(fd, 0, size);
  }

  @Override
  public void close() {
    fd.close();
  }
}
