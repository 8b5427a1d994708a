// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.StatxConstants;
import dev.spindle.linux.internal.StatxLayout;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * An open regular file or block device, with the calls a disk image needs. Every call here may
 * wait, so request traffic goes through io_uring with {@link #fd} instead; these are for opening,
 * growing, locking, and for the straight-line lane. Usable from any thread.
 */
public final class LinuxFile implements AutoCloseable {
  /** What kind of file it is. */
  public enum Type {
    /** A regular file. */
    REGULAR,
    /** A block device. */
    BLOCK_DEVICE,
    /** A character device. */
    CHARACTER_DEVICE,
    /** A directory. */
    DIRECTORY,
    /** A FIFO or a socket. */
    OTHER
  }

  private static final int CREATE_MODE = 0644;

  private final Fd fd;
  private final Path path;
  private final Type type;

  private LinuxFile(Fd fd, Path path, Type type) {
    this.fd = fd;
    this.path = path;
    this.type = type;
  }

  /**
   * Opens a file, for reading unless a flag says more.
   *
   * @throws LinuxException naming the path, as in {@code open /srv/x: EACCES (Permission denied)}
   */
  public static LinuxFile open(Path path, OpenFlag... flags) throws LinuxException {
    long bits = FileConstants.O_CLOEXEC | FileConstants.O_NOCTTY;
    for (OpenFlag flag : flags) {
      bits |= flag.bits();
    }
    Fd fd;
    try (Arena arena = Arena.ofConfined()) {
      long name = arena.allocateFrom(path.toString()).address();
      long result =
          Syscall.invoke(SyscallNumber.OPENAT, FileConstants.AT_FDCWD, name, bits, CREATE_MODE);
      String subject = path.toString();
      fd = Fd.owning((int) LinuxException.check("open", subject, result), subject);
    }
    return adopt(fd, path);
  }

  /**
   * Takes over an open descriptor, one received over a socket for example.
   *
   * @param path what to call it in messages
   */
  public static LinuxFile adopt(Fd fd, Path path) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      int mode = statx(fd, arena).get(ValueLayout.JAVA_SHORT, StatxLayout.STX_MODE) & 0xffff;
      Type type =
          switch (mode & StatxConstants.S_IFMT) {
            case StatxConstants.S_IFREG -> Type.REGULAR;
            case StatxConstants.S_IFBLK -> Type.BLOCK_DEVICE;
            case StatxConstants.S_IFCHR -> Type.CHARACTER_DEVICE;
            case StatxConstants.S_IFDIR -> Type.DIRECTORY;
            default -> Type.OTHER;
          };
      return new LinuxFile(fd, path, type);
    } catch (LinuxException e) {
      fd.close();
      throw e;
    }
  }

  private static MemorySegment statx(Fd fd, Arena arena) throws LinuxException {
    MemorySegment result = arena.allocate(StatxLayout.SIZE, 8);
    long wanted = StatxConstants.STATX_BASIC_STATS | StatxConstants.STATX_DIOALIGN;
    LinuxException.check(
        "statx",
        fd.name(),
        Syscall.invoke(
            SyscallNumber.STATX,
            fd.number(),
            arena.allocateFrom("").address(),
            StatxConstants.AT_EMPTY_PATH,
            wanted,
            result.address(),
            0));
    return result;
  }

  /** The descriptor, owned by this object. */
  public Fd fd() {
    return fd;
  }

  /** The path it was opened by. */
  public Path path() {
    return path;
  }

  /** What kind of file it is. */
  public Type type() {
    return type;
  }

  /** The length in bytes of a file, or the capacity of a block device. */
  public long size() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      if (type == Type.BLOCK_DEVICE) {
        MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
        ioctl("BLKGETSIZE64", FileConstants.BLKGETSIZE64, bytes.address());
        return bytes.get(ValueLayout.JAVA_LONG, 0);
      }
      return statx(fd, arena).get(ValueLayout.JAVA_LONG, StatxLayout.STX_SIZE);
    }
  }

  /** Bytes of storage that the file takes up; less than its length if it has holes. */
  public long allocatedBytes() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      return statx(fd, arena).get(ValueLayout.JAVA_LONG, StatxLayout.STX_BLOCKS) * 512;
    }
  }

  /** The logical block size in bytes of a block device; 512 for any other file. */
  public int logicalBlockSize() throws LinuxException {
    return type == Type.BLOCK_DEVICE ? intOf("BLKSSZGET", FileConstants.BLKSSZGET) : 512;
  }

  /** The physical block size in bytes of a block device; the preferred I/O size of another file. */
  public int physicalBlockSize() throws LinuxException {
    if (type == Type.BLOCK_DEVICE) {
      return intOf("BLKPBSZGET", FileConstants.BLKPBSZGET);
    }
    try (Arena arena = Arena.ofConfined()) {
      return statx(fd, arena).get(ValueLayout.JAVA_INT, StatxLayout.STX_BLKSIZE);
    }
  }

  /** Whether a block device is set read-only; false for any other file. */
  public boolean readOnlyDevice() throws LinuxException {
    return type == Type.BLOCK_DEVICE && intOf("BLKROGET", FileConstants.BLKROGET) != 0;
  }

  /**
   * What O_DIRECT asks here, from the kernel where the file system says (statx, Linux 6.1), else by
   * trying: the smallest read at offset 0 that O_DIRECT takes, with page-aligned memory.
   */
  public DirectIoAlignment directIoAlignment() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = statx(fd, arena);
      if ((stat.get(ValueLayout.JAVA_INT, StatxLayout.STX_MASK) & StatxConstants.STATX_DIOALIGN)
          != 0) {
        return new DirectIoAlignment(
            stat.get(ValueLayout.JAVA_INT, StatxLayout.STX_DIO_MEM_ALIGN),
            stat.get(ValueLayout.JAVA_INT, StatxLayout.STX_DIO_OFFSET_ALIGN));
      }
      return DirectIoProbe.probe(fd);
    }
  }

  /** Switches O_DIRECT on or off. Requests in flight are not affected. */
  public void setDirect(boolean direct) throws LinuxException {
    long flags =
        LinuxException.check(
            "fcntl(F_GETFL)",
            fd.name(),
            Syscall.invoke(SyscallNumber.FCNTL, fd.number(), FileConstants.F_GETFL, 0));
    long wanted = direct ? flags | FileConstants.O_DIRECT : flags & ~FileConstants.O_DIRECT;
    LinuxException.check(
        "fcntl(F_SETFL)",
        fd.name(),
        Syscall.invoke(SyscallNumber.FCNTL, fd.number(), FileConstants.F_SETFL, wanted));
  }

  /**
   * Reads at an offset until the target is full or the file ends.
   *
   * @return bytes read, less than the target's size only at the end of the file
   */
  public long read(long offset, MemorySegment target) throws LinuxException {
    return transfer(SyscallNumber.PREAD64, "pread", offset, target);
  }

  /** Writes all of the source at an offset. */
  public void write(long offset, MemorySegment source) throws LinuxException {
    transfer(SyscallNumber.PWRITE64, "pwrite", offset, source);
  }

  private long transfer(int number, String call, long offset, MemorySegment memory)
      throws LinuxException {
    Fd.requireNative(memory);
    long size = memory.byteSize();
    long done = 0;
    try {
      while (done < size) {
        long address = memory.address() + done;
        long result = Syscall.invoke(number, fd.number(), address, size - done, offset + done);
        if (result == -Errno.EINTR) {
          continue;
        }
        if (LinuxException.check(call, fd.name(), result) == 0) {
          break;
        }
        done += result;
      }
      return done;
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  /** Allocates a range, growing the file if it ends inside; existing data stays. */
  public void allocate(long offset, long length) throws LinuxException {
    fallocate("fallocate", 0, offset, length);
  }

  /** Frees a range of the file, which then reads as zeroes; the file's length stays. */
  public void punchHole(long offset, long length) throws LinuxException {
    fallocate(
        "fallocate(PUNCH_HOLE)",
        FileConstants.FALLOC_FL_PUNCH_HOLE | FileConstants.FALLOC_FL_KEEP_SIZE,
        offset,
        length);
  }

  /** Makes a range read as zeroes and keeps it allocated; the file's length stays. */
  public void zeroRange(long offset, long length) throws LinuxException {
    fallocate(
        "fallocate(ZERO_RANGE)",
        FileConstants.FALLOC_FL_ZERO_RANGE | FileConstants.FALLOC_FL_KEEP_SIZE,
        offset,
        length);
  }

  private void fallocate(String call, int mode, long offset, long length) throws LinuxException {
    long result;
    do {
      result = Syscall.invoke(SyscallNumber.FALLOCATE, fd.number(), mode, offset, length);
    } while (result == -Errno.EINTR);
    LinuxException.check(call, fd.name(), result);
  }

  /** Tells a block device that a range is no longer needed (BLKDISCARD). */
  public void discardDevice(long offset, long length) throws LinuxException {
    rangeIoctl("BLKDISCARD", FileConstants.BLKDISCARD, offset, length);
  }

  /** Makes a range of a block device read as zeroes (BLKZEROOUT). */
  public void zeroDevice(long offset, long length) throws LinuxException {
    rangeIoctl("BLKZEROOUT", FileConstants.BLKZEROOUT, offset, length);
  }

  /** Sets a regular file's length in bytes; new bytes read as zeroes. */
  public void setLength(long length) throws LinuxException {
    LinuxException.check(
        "ftruncate", fd.name(), Syscall.invoke(SyscallNumber.FTRUNCATE, fd.number(), length));
  }

  /** Returns once all data written so far, and the metadata to reach it, is on the medium. */
  public void syncData() throws LinuxException {
    LinuxException.check(
        "fdatasync", fd.name(), Syscall.invoke(SyscallNumber.FDATASYNC, fd.number()));
  }

  /** As {@link #syncData}, with all metadata. */
  public void sync() throws LinuxException {
    LinuxException.check("fsync", fd.name(), Syscall.invoke(SyscallNumber.FSYNC, fd.number()));
  }

  /** The first offset at or after this one that holds data; empty if only a hole follows. */
  public OptionalLong nextData(long offset) throws LinuxException {
    return seek("lseek(SEEK_DATA)", FileConstants.SEEK_DATA, offset);
  }

  /**
   * The first offset at or after this one in a hole (the file's end is one); empty past the end.
   */
  public OptionalLong nextHole(long offset) throws LinuxException {
    return seek("lseek(SEEK_HOLE)", FileConstants.SEEK_HOLE, offset);
  }

  private OptionalLong seek(String call, int whence, long offset) throws LinuxException {
    long result = Syscall.invoke(SyscallNumber.LSEEK, fd.number(), offset, whence);
    if (result == -Errno.ENXIO) {
      return OptionalLong.empty();
    }
    return OptionalLong.of(LinuxException.check(call, fd.name(), result));
  }

  /**
   * Takes an open-file-description lock on a range of bytes, without waiting. The bytes need not
   * exist.
   *
   * @param exclusive a write lock (the file must be open for writing); else a read lock
   * @return false if another open file description holds a conflicting lock
   */
  public boolean ofdLock(long start, long length, boolean exclusive) throws LinuxException {
    return FileLocks.trySet(fd, lockType(exclusive), start, length);
  }

  /** Gives up whatever this open file description holds in a range of bytes. */
  public void ofdUnlock(long start, long length) throws LinuxException {
    FileLocks.trySet(fd, FileConstants.F_UNLCK, start, length);
  }

  /** Whether {@link #ofdLock} with the same arguments would be refused now. */
  public boolean ofdTest(long start, long length, boolean exclusive) throws LinuxException {
    return FileLocks.wouldConflict(fd, lockType(exclusive), start, length);
  }

  private static int lockType(boolean exclusive) {
    return exclusive ? FileConstants.F_WRLCK : FileConstants.F_RDLCK;
  }

  private int intOf(String call, long request) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
      ioctl(call, request, value.address());
      return value.get(ValueLayout.JAVA_INT, 0);
    }
  }

  private void rangeIoctl(String call, long request, long offset, long length)
      throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment range = arena.allocate(ValueLayout.JAVA_LONG, 2);
      range.setAtIndex(ValueLayout.JAVA_LONG, 0, offset);
      range.setAtIndex(ValueLayout.JAVA_LONG, 1, length);
      ioctl(call, request, range.address());
    }
  }

  private void ioctl(String call, long request, long argument) throws LinuxException {
    LinuxException.check(call, fd.name(), Syscall.ioctl(fd.number(), request, argument));
  }

  /** Closes the descriptor, and with it the locks taken through it. Idempotent. */
  @Override
  public void close() {
    fd.close();
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
