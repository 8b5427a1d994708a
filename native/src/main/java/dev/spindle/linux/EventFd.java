// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An eventfd(2): a 64-bit counter that a signal adds to and a read takes and resets. Non-blocking
 * and closed on exec. Any thread may signal and read; neither allocates.
 *
 * <p>The kernel's own users of it (ioeventfd, irqfd, io_uring) take its {@link #fd}.
 */
public final class EventFd implements AutoCloseable {
  private final Fd fd;

  private EventFd(Fd fd) {
    this.fd = fd;
  }

  /** Creates an eventfd with counter 0. */
  public static EventFd create() throws LinuxException {
    long result =
        Syscall.invoke(
            SyscallNumber.EVENTFD2, 0, FileConstants.EFD_CLOEXEC | FileConstants.EFD_NONBLOCK);
    return new EventFd(Fd.owning((int) LinuxException.check("eventfd2", "", result), "eventfd"));
  }

  /** Takes over an eventfd received from elsewhere. It is used as it is, blocking or not. */
  public static EventFd of(Fd fd) {
    return new EventFd(fd);
  }

  /**
   * Takes over an eventfd received from somebody who is not trusted. He can have any read and write
   * of it wait, whatever its flags are now: it may be watched by a ring, and be signalled by a
   * {@link dev.spindle.linux.uring.PeerEvent}, but nothing else.
   *
   * @param fd stays the caller's if this fails
   * @throws LinuxException EINVAL if it is no eventfd
   */
  public static EventFd ofStranger(Fd fd) throws LinuxException {
    Path link;
    try {
      link = Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(fd.number())));
    } catch (IOException e) {
      throw new LinuxException("readlink", fd.name(), Errno.EINVAL);
    }
    if (!link.toString().equals("anon_inode:[eventfd]")) {
      throw new LinuxException("eventfd", fd.name(), Errno.EINVAL);
    }
    return new EventFd(fd);
  }

  /** The descriptor, owned by this object. */
  public Fd fd() {
    return fd;
  }

  /** Adds 1 to the counter. A counter that is full stays as it is: it is signalled already. */
  public void signal() {
    add(1);
  }

  /**
   * Adds to the counter.
   *
   * @param value from 1 to 2^64 - 2, as an unsigned number
   */
  public void add(long value) {
    CallState state = CallState.current();
    MemorySegment scratch = state.scratch();
    scratch.set(ValueLayout.JAVA_LONG, 0, value);
    long result =
        Syscall.invoke(
            state, SyscallNumber.WRITE, fd.number(), scratch.address(), Long.BYTES, 0, 0, 0);
    if (result < 0 && result != -Errno.EAGAIN) {
      throw failure("write", result);
    }
  }

  /**
   * Takes the counter and resets it.
   *
   * @return the counter, or 0 if nobody has signalled since the last read
   */
  public long read() {
    CallState state = CallState.current();
    MemorySegment scratch = state.scratch();
    long result =
        Syscall.invoke(
            state, SyscallNumber.READ, fd.number(), scratch.address(), Long.BYTES, 0, 0, 0);
    if (result == -Errno.EAGAIN) {
      return 0;
    }
    if (result < 0) {
      throw failure("read", result);
    }
    return scratch.get(ValueLayout.JAVA_LONG, 0);
  }

  private UncheckedIOException failure(String call, long result) {
    return new UncheckedIOException(new LinuxException(call, fd.name(), (int) -result));
  }

  @Override
  public void close() {
    fd.close();
  }

  @Override
  public String toString() {
    return fd.toString();
  }
}
