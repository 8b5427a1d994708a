// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A range of addresses in which pieces of files are mapped side by side, seen as one segment. What
 * is not mapped must not be touched: the process would die of it.
 *
 * <p>Any thread; but whoever takes a piece away, or closes, has first ended what everybody, the
 * kernel included, does with it.
 */
public final class MappingSpace implements AutoCloseable {
  private static final long RESERVED =
      FileConstants.MAP_PRIVATE | FileConstants.MAP_ANONYMOUS | FileConstants.MAP_NORESERVE;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;

  private MappingSpace(long address, long bytes) {
    segment = MemorySegment.ofAddress(address).reinterpret(bytes, arena, MappingSpace::unmapAll);
  }

  /**
   * Takes a range of addresses, which costs no memory.
   *
   * @param bytes a multiple of the page size
   */
  public static MappingSpace reserve(long bytes) throws LinuxException {
    long address =
        LinuxException.check(
            "mmap",
            "reserved addresses",
            Syscall.invoke(SyscallNumber.MMAP, 0, bytes, FileConstants.PROT_NONE, RESERVED, -1, 0));
    return new MappingSpace(address, bytes);
  }

  private static void unmapAll(MemorySegment range) {
    Syscall.invoke(SyscallNumber.MUNMAP, range.address(), range.byteSize());
  }

  /** All of it. */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * Maps a piece of a file, shared, for reading and writing.
   *
   * @param at where in the segment, in bytes; aligned as the file's pages are
   * @param fileOffset bytes, aligned so
   * @param bytes its size, a multiple of the page size
   */
  public void map(long at, Fd fd, long fileOffset, long bytes) throws LinuxException {
    MemorySegment place = segment.asSlice(at, bytes);
    long protection = FileConstants.PROT_READ | FileConstants.PROT_WRITE;
    long flags = FileConstants.MAP_SHARED | FileConstants.MAP_FIXED;
    LinuxException.check(
        "mmap",
        fd.name(),
        Syscall.invoke(
            SyscallNumber.MMAP,
            place.address(),
            bytes,
            protection,
            flags,
            fd.number(),
            fileOffset));
  }

  /** Takes a piece away again; the addresses stay reserved. */
  public void unmap(long at, long bytes) throws LinuxException {
    MemorySegment place = segment.asSlice(at, bytes);
    LinuxException.check(
        "mmap",
        "reserved addresses",
        Syscall.invoke(
            SyscallNumber.MMAP,
            place.address(),
            bytes,
            FileConstants.PROT_NONE,
            RESERVED | FileConstants.MAP_FIXED,
            -1,
            0));
  }

  /** Unmaps everything. Idempotent. */
  @Override
  public void close() {
    if (segment.scope().isAlive()) {
      arena.close();
    }
  }
}
