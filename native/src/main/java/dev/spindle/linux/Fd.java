// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An open file descriptor. Usable from any thread; closing is idempotent, and whoever closes makes
 * sure that no other thread is inside a call on it (the kernel may hand the number out again at
 * once).
 */
public final class Fd implements AutoCloseable {
  private static final int CLOSED = -1;

  private final AtomicInteger number;
  private final String name;
  private final boolean owned;

  private Fd(int number, String name, boolean owned) {
    if (number < 0) {
      throw new IllegalArgumentException("not a file descriptor: " + number);
    }
    this.number = new AtomicInteger(number);
    this.name = name;
    this.owned = owned;
  }

  /**
   * Takes ownership of an open descriptor.
   *
   * @param number the descriptor
   * @param name what it is, for messages: a path, or {@code eventfd}
   */
  public static Fd owning(int number, String name) {
    return new Fd(number, name, true);
  }

  /** A view of a descriptor that belongs to someone else: {@link #close} leaves it open. */
  public static Fd borrowed(int number, String name) {
    return new Fd(number, name, false);
  }

  /** The process's standard input, never closed. */
  public static Fd standardInput() {
    return borrowed(0, "standard input");
  }

  /** The process's standard output, never closed. */
  public static Fd standardOutput() {
    return borrowed(1, "standard output");
  }

  /**
   * The descriptor's number.
   *
   * @throws IllegalStateException if it is closed
   */
  public int number() {
    int value = number.getPlain();
    if (value == CLOSED) {
      throw new IllegalStateException(name + " is closed");
    }
    return value;
  }

  /** What the descriptor is, for messages. */
  public String name() {
    return name;
  }

  /** Whether {@link #close} has not been called yet. */
  public boolean isOpen() {
    return number.get() != CLOSED;
  }

  /** A second descriptor for the same open file description, closed on exec. */
  public Fd duplicate() throws LinuxException {
    long result = Syscall.invoke(SyscallNumber.FCNTL, number(), FileConstants.F_DUPFD_CLOEXEC, 0);
    return owning((int) LinuxException.check("fcntl(F_DUPFD_CLOEXEC)", name, result), name);
  }

  /** Has calls fail rather than wait, or wait; for all who share the open file description. */
  public void setNonBlocking(boolean on) throws LinuxException {
    long flags =
        LinuxException.check(
            "fcntl(F_GETFL)",
            name,
            Syscall.invoke(SyscallNumber.FCNTL, number(), FileConstants.F_GETFL, 0));
    long wanted = on ? flags | FileConstants.O_NONBLOCK : flags & ~FileConstants.O_NONBLOCK;
    LinuxException.check(
        "fcntl(F_SETFL)",
        name,
        Syscall.invoke(SyscallNumber.FCNTL, number(), FileConstants.F_SETFL, wanted));
  }

  /**
   * Reads from the descriptor's current position (sockets, terminals, pipes).
   *
   * @return the bytes read; 0 at the end of the stream
   * @throws LinuxException if the call fails; {@code EAGAIN} on a non-blocking descriptor with
   *     nothing to read
   */
  public long read(MemorySegment target) throws LinuxException {
    return transfer(SyscallNumber.READ, "read", target);
  }

  /**
   * Writes at the descriptor's current position; may write less than asked.
   *
   * @return the bytes written
   */
  public long write(MemorySegment source) throws LinuxException {
    return transfer(SyscallNumber.WRITE, "write", source);
  }

  private long transfer(int call, String callName, MemorySegment memory) throws LinuxException {
    requireNative(memory);
    try {
      long result;
      do {
        result = Syscall.invoke(call, number(), memory.address(), memory.byteSize());
      } while (result == -Errno.EINTR);
      return LinuxException.check(callName, name, result);
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  static void requireNative(MemorySegment memory) {
    if (!memory.isNative()) {
      throw new IllegalArgumentException("the kernel cannot reach a heap segment");
    }
  }

  /**
   * Closes the descriptor. Linux frees the number whatever {@code close(2)} returns, and what it
   * might report about data is reported by {@code fdatasync} before, so nothing is thrown.
   */
  @Override
  public void close() {
    int value = number.getAndSet(CLOSED);
    if (value != CLOSED && owned) {
      Syscall.invoke(SyscallNumber.CLOSE, value);
    }
  }

  @Override
  public String toString() {
    return name + " (fd " + number.get() + ")";
  }
}
