// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** The numbers of the system calls used, on x86-64. */
@CConstants(headers = "sys/syscall.h", prefix = "SYS_", lowerCase = true)
public final class SyscallNumber {
  public static final int READ = 0;
  public static final int WRITE = 1;
  public static final int CLOSE = 3;
  public static final int FSTAT = 5;
  public static final int LSEEK = 8;
  public static final int MMAP = 9;
  public static final int MUNMAP = 11;
  public static final int RT_SIGPROCMASK = 14;
  public static final int IOCTL = 16;
  public static final int PREAD64 = 17;
  public static final int PWRITE64 = 18;
  public static final int MADVISE = 28;
  public static final int GETPID = 39;
  public static final int SOCKET = 41;
  public static final int CONNECT = 42;
  public static final int SENDTO = 44;
  public static final int SENDMSG = 46;
  public static final int RECVMSG = 47;
  public static final int SHUTDOWN = 48;
  public static final int BIND = 49;
  public static final int LISTEN = 50;
  public static final int GETSOCKNAME = 51;
  public static final int GETPEERNAME = 52;
  public static final int SOCKETPAIR = 53;
  public static final int SETSOCKOPT = 54;
  public static final int GETSOCKOPT = 55;
  public static final int FCNTL = 72;
  public static final int FSYNC = 74;
  public static final int FDATASYNC = 75;
  public static final int FTRUNCATE = 77;
  public static final int SETSID = 112;
  public static final int RT_SIGTIMEDWAIT = 128;
  public static final int FSTATFS = 138;
  public static final int MLOCK = 149;
  public static final int GETTID = 186;
  public static final int TGKILL = 234;
  public static final int OPENAT = 257;
  public static final int PPOLL = 271;
  public static final int TIMERFD_CREATE = 283;
  public static final int FALLOCATE = 285;
  public static final int TIMERFD_SETTIME = 286;
  public static final int ACCEPT4 = 288;
  public static final int EVENTFD2 = 290;
  public static final int DUP3 = 292;
  public static final int PREADV = 295;
  public static final int PWRITEV = 296;
  public static final int PROCESS_VM_READV = 310;
  public static final int PROCESS_VM_WRITEV = 311;
  public static final int MEMFD_CREATE = 319;
  public static final int STATX = 332;
  public static final int IO_URING_SETUP = 425;
  public static final int IO_URING_ENTER = 426;
  public static final int IO_URING_REGISTER = 427;

  private SyscallNumber() {}
}
