// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.spindle.linux.IoVector;
import dev.spindle.linux.SocketMessage;
import dev.spindle.linux.SocketName;
import dev.spindle.linux.uring.UringAbi.Params;
import dev.spindle.linux.uring.UringAbi.SqOffsets;
import dev.spindle.linux.uring.UringAbi.Sqe;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * The submission side of a ring: one method an operation, each filling one entry (SQE). Nothing
 * reaches the kernel before {@link IoUring#submit} or {@link IoUring#submitAndWait}.
 *
 * <p>Owner thread only. No method allocates. Every {@code prep…} method returns false, having done
 * nothing, when the queue is full; submit and try again.
 *
 * <p>A <em>file handle</em> is what {@link IoUring#registerFile} returned: the slot of a registered
 * file, or {@code ~fd} for a plain descriptor where the slots ran out.
 */
public final class SubmissionQueue {
  private static final VarHandle INT = JAVA_INT.varHandle();

  private final MemorySegment ring;
  private final MemorySegment entries;
  private final long headOffset;
  private final long tailOffset;
  private final long flagsOffset;
  private final int mask;
  private final int capacity;
  private final RegisteredMemory registered;

  /** Entries filled so far, as a free-running count; the kernel sees it at the next publish. */
  private int tail;

  /** The tail as of the last {@link #consumed}: {@code tail - submitted} entries wait. */
  private int submitted;

  SubmissionQueue(
      MemorySegment ring,
      MemorySegment entries,
      MemorySegment params,
      RegisteredMemory registered) {
    MemorySegment offsets = params.asSlice(Params.SQ_OFF);
    this.ring = ring;
    this.entries = entries;
    this.registered = registered;
    this.headOffset = offsets.get(JAVA_INT, SqOffsets.HEAD);
    this.tailOffset = offsets.get(JAVA_INT, SqOffsets.TAIL);
    this.flagsOffset = offsets.get(JAVA_INT, SqOffsets.FLAGS);
    this.mask = ring.get(JAVA_INT, offsets.get(JAVA_INT, SqOffsets.RING_MASK));
    this.capacity = params.get(JAVA_INT, Params.SQ_ENTRIES);
    this.tail = ring.get(JAVA_INT, tailOffset);
    this.submitted = tail;
    // Entry i always sits in array slot i, so the indirection array is written once.
    long array = offsets.get(JAVA_INT, SqOffsets.ARRAY);
    for (int i = 0; i < capacity; i++) {
      ring.set(JAVA_INT, array + 4L * i, i);
    }
  }

  /** Entries filled and not yet handed to the kernel. */
  public int pending() {
    return tail - submitted;
  }

  /** Reads into the vector's buffers from {@code offset} (bytes). Completes with the bytes read. */
  public boolean prepRead(int file, IoVector iov, long offset, long userData) {
    if (!isSingle(iov)) {
      return prepVectored(UringConstants.OP_READV, file, iov, offset, 0, userData);
    }
    int entry = registeredEntry(iov);
    int opcode = entry >= 0 ? UringConstants.OP_READ_FIXED : UringConstants.OP_READ;
    return prepSingle(opcode, file, iov, entry, offset, 0, userData);
  }

  /**
   * Writes the vector's buffers at {@code offset} (bytes). Completes with the bytes written.
   *
   * @param forceUnitAccess whether the data must be on stable storage before it completes
   */
  public boolean prepWrite(
      int file, IoVector iov, long offset, boolean forceUnitAccess, long userData) {
    int flags = forceUnitAccess ? UringConstants.RWF_DSYNC : 0;
    if (!isSingle(iov)) {
      return prepVectored(UringConstants.OP_WRITEV, file, iov, offset, flags, userData);
    }
    int entry = registeredEntry(iov);
    int opcode = entry >= 0 ? UringConstants.OP_WRITE_FIXED : UringConstants.OP_WRITE;
    return prepSingle(opcode, file, iov, entry, offset, flags, userData);
  }

  /** A single buffer goes into the entry itself, which saves the kernel a copy of the list. */
  private static boolean isSingle(IoVector iov) {
    return iov.count() == 1 && iov.totalBytes() <= Integer.MAX_VALUE;
  }

  private static long address(IoVector iov) {
    return iov.base(0).address() + iov.offset(0);
  }

  private int registeredEntry(IoVector iov) {
    return registered.entryOf(address(iov), iov.totalBytes());
  }

  private boolean prepSingle(
      int opcode, int file, IoVector iov, int entry, long offset, int opFlags, long userData) {
    int length = (int) iov.totalBytes();
    // What is not registered ignores the buffer index.
    return prep(opcode, file, address(iov), length, offset, opFlags, Math.max(entry, 0), userData);
  }

  private boolean prepVectored(
      int opcode, int file, IoVector iov, long offset, int opFlags, long userData) {
    return prep(opcode, file, iov.array().address(), iov.count(), offset, opFlags, userData);
  }

  /** Flushes the file's data, and what metadata is needed to read it back (fdatasync). */
  public boolean prepDataSync(int file, long userData) {
    return prep(UringConstants.OP_FSYNC, file, 0, 0, 0, UringConstants.FSYNC_DATASYNC, userData);
  }

  /**
   * Frees a range of the file, which then reads as zeroes; the file's length stays.
   *
   * @param offset start in bytes
   * @param length bytes
   */
  public boolean prepPunchHole(int file, long offset, long length, long userData) {
    return prepFallocate(file, UringConstants.FALLOC_FL_PUNCH_HOLE, offset, length, userData);
  }

  /** As {@link #prepPunchHole}, but the range stays allocated. */
  public boolean prepZeroRange(int file, long offset, long length, long userData) {
    return prepFallocate(file, UringConstants.FALLOC_FL_ZERO_RANGE, offset, length, userData);
  }

  private boolean prepFallocate(int file, int mode, long offset, long length, long userData) {
    int modeBits = mode | UringConstants.FALLOC_FL_KEEP_SIZE;
    return prep(UringConstants.OP_FALLOCATE, file, length, modeBits, offset, 0, userData);
  }

  /** Completes each time the descriptor becomes readable, until removed or until {@code !more}. */
  public boolean prepPollMultishot(int file, long userData) {
    return prep(
        UringConstants.OP_POLL_ADD,
        file,
        0,
        UringConstants.POLL_ADD_MULTI,
        0,
        UringConstants.POLLIN,
        userData);
  }

  /** Ends the poll submitted with {@code target} as its user data; that one completes last. */
  public boolean prepPollRemove(long target, long userData) {
    return prep(UringConstants.OP_POLL_REMOVE, ~-1, target, 0, 0, 0, userData);
  }

  /** Waits for a connection to a listening socket. Completes with the descriptor's number. */
  public boolean prepAccept(int file, long userData) {
    return prep(UringConstants.OP_ACCEPT, file, 0, 0, 0, UringConstants.SOCK_CLOEXEC, userData);
  }

  /** Connects a socket. Completes with 0. */
  public boolean prepConnect(int file, SocketName to, long userData) {
    MemorySegment name = to.bytes();
    return prep(UringConstants.OP_CONNECT, file, name.address(), 0, name.byteSize(), 0, userData);
  }

  /**
   * Receives what there is, once there is something. Completes with the bytes received; 0 is the
   * end.
   */
  public boolean prepReceive(int file, SocketMessage message, long userData) {
    return prep(UringConstants.OP_RECVMSG, file, message.header().address(), 1, 0, 0, userData);
  }

  /**
   * Sends a message; on a stream, all of it unless the connection fails or the operation is
   * cancelled. Completes with the bytes sent.
   */
  public boolean prepSend(int file, SocketMessage message, long userData) {
    int flags = UringConstants.MSG_NOSIGNAL | UringConstants.MSG_WAITALL;
    return prep(UringConstants.OP_SENDMSG, file, message.header().address(), 1, 0, flags, userData);
  }

  /**
   * Cancels the operation submitted with {@code target} as its user data. Completes with 0, or a
   * negated errno if it has completed already (ENOENT) or cannot be stopped now (EALREADY); the
   * operation itself completes with ECANCELED, or with what it had done.
   */
  public boolean prepCancel(long target, long userData) {
    return prep(UringConstants.OP_ASYNC_CANCEL, ~-1, target, 0, 0, 0, userData);
  }

  /** Does nothing; completes with 0. */
  public boolean prepNop(long userData) {
    return prep(UringConstants.OP_NOP, ~-1, 0, 0, 0, 0, userData);
  }

  private boolean prep(
      int opcode, int file, long address, int length, long offset, int opFlags, long userData) {
    return prep(opcode, file, address, length, offset, opFlags, 0, userData);
  }

  private boolean prep(
      int opcode,
      int file,
      long address,
      int length,
      long offset,
      int opFlags,
      int bufferIndex,
      long userData) {
    if (tail - (int) INT.getAcquire(ring, headOffset) >= capacity) {
      return false;
    }
    long sqe = (long) (tail & mask) * Sqe.SIZE;
    int fd = file >= 0 ? file : ~file;
    int flags = file >= 0 ? UringConstants.SQE_FIXED_FILE : 0;
    entries.set(JAVA_SHORT, sqe + Sqe.OPCODE, (short) (opcode | flags << 8));
    entries.set(JAVA_SHORT, sqe + Sqe.IOPRIO, (short) 0);
    entries.set(JAVA_INT, sqe + Sqe.FD, fd);
    entries.set(JAVA_LONG, sqe + Sqe.OFF, offset);
    entries.set(JAVA_LONG, sqe + Sqe.ADDR, address);
    entries.set(JAVA_INT, sqe + Sqe.LEN, length);
    entries.set(JAVA_INT, sqe + Sqe.OP_FLAGS, opFlags);
    entries.set(JAVA_LONG, sqe + Sqe.USER_DATA, userData);
    // The slot was used before: what this operation does not need must not linger.
    entries.set(JAVA_LONG, sqe + Sqe.BUF_INDEX, bufferIndex);
    entries.set(JAVA_LONG, sqe + Sqe.ADDR3, 0);
    entries.set(JAVA_LONG, sqe + Sqe.ADDR3 + 8, 0);
    tail++;
    return true;
  }

  /** Has what is pending go without registered memory: the entries it refers to may be emptied. */
  void useNoRegisteredMemory() {
    for (int i = submitted; i != tail; i++) {
      long sqe = (long) (i & mask) * Sqe.SIZE;
      int plain =
          switch (entries.get(JAVA_BYTE, sqe + Sqe.OPCODE)) {
            case UringConstants.OP_READ_FIXED -> UringConstants.OP_READ;
            case UringConstants.OP_WRITE_FIXED -> UringConstants.OP_WRITE;
            default -> -1;
          };
      if (plain >= 0) {
        entries.set(JAVA_BYTE, sqe + Sqe.OPCODE, (byte) plain);
        entries.set(JAVA_LONG, sqe + Sqe.BUF_INDEX, 0);
      }
    }
  }

  /** Makes the filled entries visible to the kernel. */
  void publish() {
    INT.setRelease(ring, tailOffset, tail);
  }

  /** Notes that the kernel took {@code count} of the pending entries. */
  void consumed(int count) {
    submitted += count;
  }

  /** Whether the kernel has completions that it posts only when the ring is entered. */
  boolean kernelWantsEntry() {
    int flags = (int) INT.getOpaque(ring, flagsOffset);
    return (flags & (UringConstants.SQ_TASKRUN | UringConstants.SQ_CQ_OVERFLOW)) != 0;
  }
}
