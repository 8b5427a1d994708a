// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Linux system calls through the C library's {@code syscall(2)}.
 *
 * <p>Linking a downcall costs tens of milliseconds in a cold JVM, so there is exactly one: every
 * system call has the same shape of seven words, and the class links it when it is first used. A
 * call allocates nothing and may block; the thread counts as "in native" meanwhile, so it holds up
 * no garbage collection.
 *
 * <p>Results follow the kernel's convention: a value from -4095 to -1 is a negated {@link
 * dev.spindle.linux.Errno}. Callers that pass an address keep the memory behind it alive
 * themselves.
 */
public final class Syscall {
  private static final MethodHandle SYSCALL = link();

  private Syscall() {}

  private static MethodHandle link() {
    Linker linker = Linker.nativeLinker();
    MemorySegment function = linker.defaultLookup().findOrThrow("syscall");
    ValueLayout.OfLong word = ValueLayout.JAVA_LONG;
    return linker.downcallHandle(
        function,
        FunctionDescriptor.of(word, word, word, word, word, word, word, word),
        Linker.Option.firstVariadicArg(1),
        Linker.Option.captureCallState("errno"));
  }

  /** Calls with six arguments, capturing errno in {@code state}. */
  public static long invoke(
      CallState state, long number, long a, long b, long c, long d, long e, long f) {
    long result;
    try {
      result = (long) SYSCALL.invokeExact(state.capture(), number, a, b, c, d, e, f);
    } catch (RuntimeException | Error failure) {
      throw failure;
    } catch (Throwable failure) {
      throw new AssertionError("a downcall threw a checked exception", failure);
    }
    return result == -1 ? -state.errno() : result;
  }

  /** Calls with six arguments on the calling thread's own state. */
  public static long invoke(long number, long a, long b, long c, long d, long e, long f) {
    return invoke(CallState.current(), number, a, b, c, d, e, f);
  }

  /** Calls with four arguments. */
  public static long invoke(long number, long a, long b, long c, long d) {
    return invoke(CallState.current(), number, a, b, c, d, 0, 0);
  }

  /** Calls with three arguments. */
  public static long invoke(long number, long a, long b, long c) {
    return invoke(CallState.current(), number, a, b, c, 0, 0, 0);
  }

  /** Calls with two arguments. */
  public static long invoke(long number, long a, long b) {
    return invoke(CallState.current(), number, a, b, 0, 0, 0, 0);
  }

  /** Calls with one argument. */
  public static long invoke(long number, long a) {
    return invoke(CallState.current(), number, a, 0, 0, 0, 0, 0);
  }

  /** {@code ioctl(fd, request, argument)}. */
  public static long ioctl(int fd, long request, long argument) {
    return invoke(CallState.current(), SyscallNumber.IOCTL, fd, request, argument, 0, 0, 0);
  }

  /** Whether a result is a negated errno. */
  public static boolean failed(long result) {
    return result < 0 && result >= -4095;
  }
}
