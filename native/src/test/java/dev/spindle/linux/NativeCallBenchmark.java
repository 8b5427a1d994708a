// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import dev.spindle.linux.internal.CallState;
import dev.spindle.linux.internal.Syscall;
import dev.spindle.linux.internal.SyscallNumber;
import java.util.concurrent.TimeUnit;
import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.IgnoreError;
import jnr.ffi.annotations.SaveError;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What one system call costs from Java, by binding: getpid, which does nothing, and an ioctl
 * (FIOCLEX) with an error number to keep. {@code docs/native-calls.md} says how to run this.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 3,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"})
public class NativeCallBenchmark {
  private static final long FIOCLEX = 0x5451;

  /** JNA's usual way: an interface, called through a proxy. */
  public interface JnaInterface extends com.sun.jna.Library {
    int getpid();

    int ioctl(int fd, NativeLong request, NativeLong argument);
  }

  /** JNA's quick way: native methods bound one by one. */
  public static final class JnaDirect {
    static {
      Native.register(JnaDirect.class, "c");
    }

    private JnaDirect() {}

    public static native int getpid();

    public static native int ioctl(int fd, long request, long argument);
  }

  /** jnr-ffi: an interface that it generates code for. */
  public interface Jnr {
    @IgnoreError
    int getpid();

    @SaveError
    int ioctl(int fd, long request, long argument);
  }

  private JnaInterface jnaInterface;
  private Jnr jnr;
  private EventFd event;
  private CallState callState;
  private int fd;

  @Setup
  public void open() throws LinuxException {
    jnaInterface = Native.load("c", JnaInterface.class);
    jnr = LibraryLoader.create(Jnr.class).load("c");
    event = EventFd.create();
    callState = new CallState();
    fd = event.fd().number();
  }

  @TearDown
  public void close() {
    event.close();
  }

  @Benchmark
  public long getpidPanama() {
    return Syscall.invoke(SyscallNumber.GETPID, 0);
  }

  @Benchmark
  public long getpidPanamaOwnState() {
    return Syscall.invoke(callState, SyscallNumber.GETPID, 0, 0, 0, 0, 0, 0);
  }

  @Benchmark
  public int getpidJnaInterface() {
    return jnaInterface.getpid();
  }

  @Benchmark
  public int getpidJnaDirect() {
    return JnaDirect.getpid();
  }

  @Benchmark
  public int getpidJnr() {
    return jnr.getpid();
  }

  @Benchmark
  public long ioctlPanama() {
    return Syscall.ioctl(fd, FIOCLEX, 0);
  }

  @Benchmark
  public int ioctlJnaInterface() {
    return jnaInterface.ioctl(fd, new NativeLong(FIOCLEX), new NativeLong(0));
  }

  @Benchmark
  public int ioctlJnaDirect() {
    return JnaDirect.ioctl(fd, FIOCLEX, 0);
  }

  @Benchmark
  public int ioctlJnr() {
    return jnr.ioctl(fd, FIOCLEX, 0);
  }
}
