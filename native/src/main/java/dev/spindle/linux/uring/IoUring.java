// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.spindle.linux.Errno;
import dev.spindle.linux.EventFd;
import dev.spindle.linux.Fd;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.Mapping;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import dev.spindle.linux.uring.UringAbi.CqOffsets;
import dev.spindle.linux.uring.UringAbi.Cqe;
import dev.spindle.linux.uring.UringAbi.GeteventsArg;
import dev.spindle.linux.uring.UringAbi.Params;
import dev.spindle.linux.uring.UringAbi.Probe;
import dev.spindle.linux.uring.UringAbi.ProbeOp;
import dev.spindle.linux.uring.UringAbi.SqOffsets;
import dev.spindle.linux.uring.UringAbi.Sqe;
import dev.spindle.linux.uring.UringAbi.Timespec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One io_uring instance, reached by raw system calls ({@code io_uring_setup(2)}, {@code
 * io_uring_enter(2)}, {@code io_uring_register(2)}).
 *
 * <p>The thread that creates a ring owns it: every other method must be called there. Submitting
 * and waiting allocate nothing.
 */
public final class IoUring implements AutoCloseable {
  private static final int REQUIRED =
      UringConstants.FEAT_SINGLE_MMAP | UringConstants.FEAT_NODROP | UringConstants.FEAT_EXT_ARG;

  /** Best first; an older kernel refuses flags it does not know with EINVAL. */
  private static final int[] MODES = {
    UringConstants.SETUP_SUBMIT_ALL
        | UringConstants.SETUP_COOP_TASKRUN
        | UringConstants.SETUP_TASKRUN_FLAG
        | UringConstants.SETUP_SINGLE_ISSUER
        | UringConstants.SETUP_DEFER_TASKRUN, // Linux 6.1
    UringConstants.SETUP_SUBMIT_ALL
        | UringConstants.SETUP_COOP_TASKRUN
        | UringConstants.SETUP_TASKRUN_FLAG, // 5.19
    0,
  };

  private static final int FILE_SLOTS = 256;

  private final Arena arena;
  private final Fd fd;
  private final int features;
  private final int mode;
  private final Mapping ringMapping;
  private final Mapping entriesMapping;
  private final SubmissionQueue submission;
  private final CompletionQueue completion;
  private final CallState callState = new CallState();
  private final MemorySegment waitArgument;
  private final MemorySegment timeout;
  private final ResourceTable files;
  private final RegisteredMemory registeredMemory;

  /**
   * Creates a ring owned by the calling thread.
   *
   * @param entries submission slots, 1 to 4096, rounded up to a power of two; the completion queue
   *     has eight times as many
   * @throws LinuxException if the kernel has no io_uring, forbids it ({@code
   *     kernel.io_uring_disabled}, seccomp), or is older than Linux 5.11
   */
  public static IoUring create(int entries) throws LinuxException {
    return create(entries, MODES);
  }

  /** A ring that no thread owns: any may use it, one at a time. */
  static IoUring createUnowned(int entries) throws LinuxException {
    return create(entries, 0);
  }

  private static IoUring create(int entries, int... modes) throws LinuxException {
    int errno = 0;
    for (int mode : modes) {
      Arena arena = Arena.ofShared();
      MemorySegment params = arena.allocate(Params.SIZE, 8);
      params.set(
          JAVA_INT, Params.FLAGS, mode | UringConstants.SETUP_CQSIZE | UringConstants.SETUP_CLAMP);
      params.set(JAVA_INT, Params.CQ_ENTRIES, entries * 8);
      long result = Syscall.invoke(SyscallNumber.IO_URING_SETUP, entries, params.address());
      if (result >= 0) {
        return new IoUring(arena, Fd.owning((int) result, "io_uring"), mode, params);
      }
      arena.close();
      errno = (int) -result;
      if (errno != Errno.EINVAL) {
        break;
      }
    }
    throw new LinuxException("io_uring_setup", "", errno);
  }

  private IoUring(Arena arena, Fd fd, int mode, MemorySegment params) throws LinuxException {
    this.arena = arena;
    this.fd = fd;
    this.mode = mode;
    this.features = params.get(JAVA_INT, Params.FEATURES);
    Mapping ring = null;
    Mapping entries = null;
    try {
      if ((features & REQUIRED) != REQUIRED) {
        throw new LinuxException("io_uring_setup", "", Errno.ENOSYS);
      }
      ring = Mapping.shared(fd, UringConstants.OFF_SQ_RING, ringBytes(params));
      entries =
          Mapping.shared(
              fd,
              UringConstants.OFF_SQES,
              (long) params.get(JAVA_INT, Params.SQ_ENTRIES) * Sqe.SIZE);
    } catch (LinuxException e) {
      if (ring != null) {
        ring.close();
      }
      fd.close();
      arena.close();
      throw e;
    }
    this.ringMapping = ring;
    this.entriesMapping = entries;
    this.files = new ResourceTable(fd, ResourceTable.Kind.FILES, FILE_SLOTS);
    this.registeredMemory = new RegisteredMemory(fd);
    this.submission =
        new SubmissionQueue(ring.segment(), entries.segment(), params, registeredMemory);
    this.completion = new CompletionQueue(ring.segment(), params);
    this.waitArgument = arena.allocate(GeteventsArg.SIZE, 8);
    this.timeout = arena.allocate(Timespec.SIZE, 8);
  }

  /** Both rings share one mapping (FEAT_SINGLE_MMAP), as long as the longer of the two. */
  private static long ringBytes(MemorySegment params) {
    long sqArray =
        params.get(JAVA_INT, Params.SQ_OFF + SqOffsets.ARRAY)
            + 4L * params.get(JAVA_INT, Params.SQ_ENTRIES);
    long cqEntries =
        params.get(JAVA_INT, Params.CQ_OFF + CqOffsets.CQES)
            + (long) Cqe.SIZE * params.get(JAVA_INT, Params.CQ_ENTRIES);
    return Math.max(sqArray, cqEntries);
  }

  /** The submission side. */
  public SubmissionQueue submission() {
    return submission;
  }

  /** Whether completions are posted only while the owner enters the ring (DEFER_TASKRUN). */
  public boolean defersTaskWork() {
    return (mode & UringConstants.SETUP_DEFER_TASKRUN) != 0;
  }

  /** Whether {@link #reap} would find something, or entering would post something. Two loads. */
  public boolean hasWork() {
    return !completion.isEmpty() || submission.kernelWantsEntry();
  }

  /**
   * Hands every posted completion to the handler.
   *
   * @return how many there were
   */
  public int reap(CompletionHandler handler) {
    return completion.reap(handler);
  }

  /** Submits what is pending and lets the kernel post what is done, without waiting. */
  public void submit() throws LinuxException {
    enter(0, 0);
  }

  /**
   * Submits what is pending and waits for at least one completion: one system call.
   *
   * @param timeoutNs longest wait in nanoseconds; negative for no limit
   */
  public void submitAndWait(long timeoutNs) throws LinuxException {
    enter(completion.isEmpty() ? 1 : 0, timeoutNs);
  }

  private void enter(int minComplete, long timeoutNs) throws LinuxException {
    submission.publish();
    int flags = UringConstants.ENTER_GETEVENTS;
    long argument = 0;
    long argumentSize = 0;
    if (minComplete > 0 && timeoutNs >= 0) {
      timeout.set(JAVA_LONG, Timespec.TV_SEC, timeoutNs / 1_000_000_000L);
      timeout.set(JAVA_LONG, Timespec.TV_NSEC, timeoutNs % 1_000_000_000L);
      waitArgument.set(JAVA_LONG, GeteventsArg.TS, timeout.address());
      flags |= UringConstants.ENTER_EXT_ARG;
      argument = waitArgument.address();
      argumentSize = GeteventsArg.SIZE;
    }
    long result =
        Syscall.invoke(
            callState,
            SyscallNumber.IO_URING_ENTER,
            fd.number(),
            submission.pending(),
            minComplete,
            flags,
            argument,
            argumentSize);
    if (result >= 0) {
      submission.consumed((int) result);
      return;
    }
    switch ((int) -result) {
      // Nothing was consumed; the caller's next turn tries again after reaping.
      case Errno.EINTR, Errno.ETIME, Errno.EAGAIN, Errno.EBUSY -> {}
      default -> throw new LinuxException("io_uring_enter", "", (int) -result);
    }
  }

  /** Has the kernel signal an eventfd at each completion, until the ring is closed. */
  void signalCompletions(EventFd event) throws LinuxException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment number = scratch.allocateFrom(JAVA_INT, event.fd().number());
      LinuxException.check(
          "io_uring_register(EVENTFD)",
          event.fd().name(),
          Syscall.invoke(
              SyscallNumber.IO_URING_REGISTER,
              fd.number(),
              UringConstants.REGISTER_EVENTFD,
              number.address(),
              1));
    }
  }

  /**
   * Registers a file with the ring, which saves the kernel a look-up an operation. Where that is
   * not possible operations go by descriptor; the caller need not care.
   *
   * @return the handle that the submission queue's methods take; it stays valid until {@link
   *     #unregisterFile}
   */
  public int registerFile(Fd file) {
    int slot = files.findFree(1);
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment value = scratch.allocateFrom(JAVA_INT, file.number());
      return slot >= 0 && files.fill(slot, value) == 0 ? slot : ~file.number();
    }
  }

  /** Ends a registration. Operations in flight on it still complete. */
  public void unregisterFile(int handle) {
    if (handle >= 0) {
      try (Arena scratch = Arena.ofConfined()) {
        files.empty(handle, scratch.allocateFrom(JAVA_INT, -1));
      }
    }
  }

  /**
   * Registers memory with the ring, which saves the kernel from finding and pinning its pages for
   * each operation: reads and writes of one buffer inside it use that by themselves. Every page is
   * there and pinned until {@link #unregisterMemory}, which must come before the memory is given
   * back or its pages exchanged ({@code madvise}, a hole punched into its memfd).
   *
   * <p>The kernel counts the memory against RLIMIT_MEMLOCK of the user (all his rings together)
   * unless the process has CAP_IPC_LOCK. Where it refuses, or is older than Linux 5.19, operations
   * go as before; the caller need not care.
   *
   * @param memory native memory, anonymous or of a memfd; {@value RegisteredMemory#SEGMENTS}
   *     segments at most, of 1 TiB together
   * @return a handle for {@link #unregisterMemory}; negative, a negated {@link Errno}, if the
   *     memory is not registered
   */
  public int registerMemory(MemorySegment memory) {
    return registeredMemory.register(memory);
  }

  /**
   * Ends a registration. Operations in flight on the memory still complete, and until then its
   * pages stay pinned.
   *
   * @param handle what {@link #registerMemory} returned; nothing happens if it is negative
   */
  public void unregisterMemory(int handle) {
    if (handle >= 0) {
      submission.useNoRegisteredMemory();
      registeredMemory.unregister(handle);
    }
  }

  /**
   * Whether the kernel knows an operation ({@code IORING_OP_…}).
   *
   * @param opcode 0 to 255
   */
  public boolean supports(int opcode) {
    int ops = 256;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment probe = scratch.allocate(Probe.SIZE + (long) ops * ProbeOp.SIZE, 8);
      long result =
          Syscall.invoke(
              SyscallNumber.IO_URING_REGISTER,
              fd.number(),
              UringConstants.REGISTER_PROBE,
              probe.address(),
              ops);
      if (result < 0 || opcode >= Byte.toUnsignedInt(probe.get(JAVA_BYTE, Probe.OPS_LEN))) {
        return false;
      }
      long op = Probe.SIZE + (long) opcode * ProbeOp.SIZE;
      return (probe.get(JAVA_BYTE, op + ProbeOp.FLAGS) & UringConstants.OP_SUPPORTED) != 0;
    }
  }

  /**
   * Closes the ring. The kernel cancels what is in flight; the owner must have drained it before.
   */
  @Override
  public void close() {
    entriesMapping.close();
    ringMapping.close();
    fd.close();
    arena.close();
  }
}
