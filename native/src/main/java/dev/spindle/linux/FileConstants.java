// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux;

import dev.spindle.linux.internal.CConstants;

/** Constants of files, descriptors and memory mappings. */
@CConstants(
    headers = {
      "fcntl.h",
      "unistd.h",
      "poll.h",
      "sys/eventfd.h",
      "sys/timerfd.h",
      "sys/mman.h",
      "linux/memfd.h",
      "linux/falloc.h",
      "linux/fs.h"
    })
final class FileConstants {
  static final int AT_FDCWD = -100;

  static final int O_RDONLY = 0;
  static final int O_RDWR = 2;
  static final int O_CREAT = 0100;
  static final int O_EXCL = 0200;
  static final int O_NOCTTY = 0400;
  static final int O_TRUNC = 01000;
  static final int O_NONBLOCK = 04000;
  static final int O_DSYNC = 010000;
  static final int O_DIRECT = 040000;
  static final int O_NOFOLLOW = 0400000;
  static final int O_CLOEXEC = 02000000;

  static final int F_GETFL = 3;
  static final int F_SETFL = 4;
  static final int F_OFD_GETLK = 36;
  static final int F_OFD_SETLK = 37;
  static final int F_DUPFD_CLOEXEC = 1030;
  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_SEAL_SEAL = 1;
  static final int F_SEAL_SHRINK = 2;
  static final int F_SEAL_GROW = 4;

  static final int F_RDLCK = 0;
  static final int F_WRLCK = 1;
  static final int F_UNLCK = 2;

  static final int SEEK_SET = 0;
  static final int SEEK_DATA = 3;
  static final int SEEK_HOLE = 4;

  static final int FALLOC_FL_KEEP_SIZE = 1;
  static final int FALLOC_FL_PUNCH_HOLE = 2;
  static final int FALLOC_FL_ZERO_RANGE = 16;

  static final int BLKROGET = 0x125E;
  static final int BLKSSZGET = 0x1268;
  static final int BLKPBSZGET = 0x127B;
  static final int BLKDISCARD = 0x1277;
  static final int BLKZEROOUT = 0x127F;
  static final long BLKGETSIZE64 = 0x80081272L;

  static final int EFD_CLOEXEC = 02000000;
  static final int EFD_NONBLOCK = 04000;
  static final int TFD_CLOEXEC = 02000000;
  static final int TFD_NONBLOCK = 04000;
  static final int TFD_TIMER_ABSTIME = 1;
  static final int CLOCK_MONOTONIC = 1;

  static final int POLLIN = 1;
  static final int POLLOUT = 4;
  static final int POLLERR = 8;
  static final int POLLHUP = 16;

  static final int MFD_CLOEXEC = 1;
  static final int MFD_ALLOW_SEALING = 2;
  static final int MFD_HUGETLB = 4;
  static final int MFD_HUGE_2MB = 21 << 26;

  static final int PROT_NONE = 0;
  static final int PROT_READ = 1;
  static final int PROT_WRITE = 2;
  static final int MAP_SHARED = 1;
  static final int MAP_PRIVATE = 2;
  static final int MAP_FIXED = 0x10;
  static final int MAP_ANONYMOUS = 0x20;
  static final int MAP_NORESERVE = 0x4000;
  static final int MAP_POPULATE = 0x8000;
  static final int MADV_DONTNEED = 4;
  static final int MADV_REMOVE = 9;
  static final int MADV_DONTFORK = 10;
  static final int MADV_HUGEPAGE = 14;
  static final int MADV_DONTDUMP = 16;
  static final int MADV_POPULATE_WRITE = 23;

  private FileConstants() {}
}
