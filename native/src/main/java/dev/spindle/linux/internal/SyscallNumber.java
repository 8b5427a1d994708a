// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.internal;

/** The numbers of the system calls used, on x86-64. */
@CConstants(headers = "sys/syscall.h")
public final class SyscallNumber {
  @CName("SYS_read")
  public static final int READ = 0;

  @CName("SYS_write")
  public static final int WRITE = 1;

  @CName("SYS_close")
  public static final int CLOSE = 3;

  @CName("SYS_fstat")
  public static final int FSTAT = 5;

  @CName("SYS_lseek")
  public static final int LSEEK = 8;

  @CName("SYS_mmap")
  public static final int MMAP = 9;

  @CName("SYS_munmap")
  public static final int MUNMAP = 11;

  @CName("SYS_rt_sigprocmask")
  public static final int RT_SIGPROCMASK = 14;

  @CName("SYS_ioctl")
  public static final int IOCTL = 16;

  @CName("SYS_pread64")
  public static final int PREAD64 = 17;

  @CName("SYS_pwrite64")
  public static final int PWRITE64 = 18;

  @CName("SYS_madvise")
  public static final int MADVISE = 28;

  @CName("SYS_getpid")
  public static final int GETPID = 39;

  @CName("SYS_socket")
  public static final int SOCKET = 41;

  @CName("SYS_connect")
  public static final int CONNECT = 42;

  @CName("SYS_sendmsg")
  public static final int SENDMSG = 46;

  @CName("SYS_recvmsg")
  public static final int RECVMSG = 47;

  @CName("SYS_shutdown")
  public static final int SHUTDOWN = 48;

  @CName("SYS_bind")
  public static final int BIND = 49;

  @CName("SYS_listen")
  public static final int LISTEN = 50;

  @CName("SYS_socketpair")
  public static final int SOCKETPAIR = 53;

  @CName("SYS_fcntl")
  public static final int FCNTL = 72;

  @CName("SYS_fsync")
  public static final int FSYNC = 74;

  @CName("SYS_fdatasync")
  public static final int FDATASYNC = 75;

  @CName("SYS_ftruncate")
  public static final int FTRUNCATE = 77;

  @CName("SYS_rt_sigtimedwait")
  public static final int RT_SIGTIMEDWAIT = 128;

  @CName("SYS_gettid")
  public static final int GETTID = 186;

  @CName("SYS_tgkill")
  public static final int TGKILL = 234;

  @CName("SYS_openat")
  public static final int OPENAT = 257;

  @CName("SYS_ppoll")
  public static final int PPOLL = 271;

  @CName("SYS_timerfd_create")
  public static final int TIMERFD_CREATE = 283;

  @CName("SYS_fallocate")
  public static final int FALLOCATE = 285;

  @CName("SYS_timerfd_settime")
  public static final int TIMERFD_SETTIME = 286;

  @CName("SYS_accept4")
  public static final int ACCEPT4 = 288;

  @CName("SYS_eventfd2")
  public static final int EVENTFD2 = 290;

  @CName("SYS_preadv")
  public static final int PREADV = 295;

  @CName("SYS_pwritev")
  public static final int PWRITEV = 296;

  @CName("SYS_memfd_create")
  public static final int MEMFD_CREATE = 319;

  @CName("SYS_statx")
  public static final int STATX = 332;

  @CName("SYS_io_uring_setup")
  public static final int IO_URING_SETUP = 425;

  @CName("SYS_io_uring_enter")
  public static final int IO_URING_ENTER = 426;

  @CName("SYS_io_uring_register")
  public static final int IO_URING_REGISTER = 427;

  private SyscallNumber() {}
}
