// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A memory mapping (mmap(2)) seen as one bounds-checked memory segment, usable from every thread.
 *
 * <p>{@link #close} unmaps it; Java code that touches the segment afterwards gets an exception. The
 * kernel knows nothing of that, so whoever closes has first ended what the kernel does with the
 * memory (I/O in flight, registered buffers, KVM slots).
 */
public final class Mapping implements AutoCloseable {
  /** What {@link #advise} can say, as in madvise(2). */
  public enum Advice {
    /** Back it with transparent huge pages where possible. */
    HUGE_PAGES(FileConstants.MADV_HUGEPAGE),
    /** Leave it out of core dumps. */
    DONT_DUMP(FileConstants.MADV_DONTDUMP),
    /** Leave it out of forked children. */
    DONT_FORK(FileConstants.MADV_DONTFORK),
    /** Allocate every page now, writable (Linux 5.14). */
    POPULATE_WRITE(FileConstants.MADV_POPULATE_WRITE),
    /** Free the pages of a shared mapping, and the file's blocks behind them. */
    REMOVE(FileConstants.MADV_REMOVE),
    /** Forget the pages of this mapping. */
    DONT_NEED(FileConstants.MADV_DONTNEED);

    private final int number;

    Advice(int number) {
      this.number = number;
    }
  }

  private final MemorySegment segment;
  private final Arena arena;
  private final String name;

  private Mapping(MemorySegment segment, Arena arena, String name) {
    this.segment = segment;
    this.arena = arena;
    this.name = name;
  }

  /**
   * Maps a range of a file, shared, for reading and writing.
   *
   * @param offset bytes, a multiple of the page size
   * @param length bytes, positive
   */
  public static Mapping shared(Fd fd, long offset, long length) throws LinuxException {
    return map(fd, offset, length, FileConstants.MAP_SHARED);
  }

  /** As {@link #shared}, with every page there before the call returns (MAP_POPULATE). */
  public static Mapping sharedPopulated(Fd fd, long offset, long length) throws LinuxException {
    return map(fd, offset, length, FileConstants.MAP_SHARED | FileConstants.MAP_POPULATE);
  }

  /**
   * Maps zeroed private memory with page alignment.
   *
   * @param length bytes, positive
   */
  public static Mapping anonymous(long length) throws LinuxException {
    return map(null, 0, length, FileConstants.MAP_PRIVATE | FileConstants.MAP_ANONYMOUS);
  }

  private static Mapping map(Fd fd, long offset, long length, long flags) throws LinuxException {
    if (length <= 0 || offset < 0) {
      throw new IllegalArgumentException("impossible mapping: " + length + " bytes at " + offset);
    }
    String name = fd == null ? "anonymous memory" : fd.name();
    long protection = FileConstants.PROT_READ | FileConstants.PROT_WRITE;
    long number = fd == null ? -1 : fd.number();
    long address =
        LinuxException.check(
            "mmap",
            name,
            Syscall.invoke(SyscallNumber.MMAP, 0, length, protection, flags, number, offset));
    Arena arena = Arena.ofShared();
    MemorySegment segment =
        MemorySegment.ofAddress(address).reinterpret(length, arena, Mapping::unmap);
    return new Mapping(segment, arena, name);
  }

  private static void unmap(MemorySegment mapped) {
    Syscall.invoke(SyscallNumber.MUNMAP, mapped.address(), mapped.byteSize());
  }

  /** The memory. */
  public MemorySegment segment() {
    return segment;
  }

  /** Bytes. */
  public long size() {
    return segment.byteSize();
  }

  /** Tells the kernel something about the whole mapping. */
  public void advise(Advice advice) throws LinuxException {
    advise(advice, 0, segment.byteSize());
  }

  /**
   * Tells the kernel something about a part of the mapping.
   *
   * @param offset bytes, a multiple of the page size
   * @param length bytes
   */
  public void advise(Advice advice, long offset, long length) throws LinuxException {
    MemorySegment part = segment.asSlice(offset, length);
    long result =
        Syscall.invoke(SyscallNumber.MADVISE, part.address(), part.byteSize(), advice.number);
    LinuxException.check("madvise(" + advice + ")", name, result);
  }

  /**
   * Takes every page from the host now and keeps it in memory until {@link #close} (mlock(2)).
   *
   * @throws LinuxException ENOMEM if that is more than RLIMIT_MEMLOCK allows or the host has, EPERM
   *     if the limit is 0
   */
  public void lock() throws LinuxException {
    long result = Syscall.invoke(SyscallNumber.MLOCK, segment.address(), segment.byteSize());
    LinuxException.check("mlock", name, result);
  }

  /** Unmaps. Idempotent. */
  @Override
  public void close() {
    if (segment.scope().isAlive()) {
      arena.close();
    }
  }
}
