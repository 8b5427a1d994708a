// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import dev.spindle.linux.internal.CConstants;
import dev.spindle.linux.internal.CName;

/** Numbers of io_uring's kernel interface. */
@CConstants(
    headers = {"poll.h", "sys/socket.h", "linux/falloc.h", "linux/fs.h", "linux/io_uring.h"},
    prefix = "IORING_")
final class UringConstants {
  static final long OFF_SQ_RING = 0;
  static final long OFF_SQES = 0x10000000L;

  static final int SETUP_CQSIZE = 1 << 3;
  static final int SETUP_CLAMP = 1 << 4;
  static final int SETUP_SUBMIT_ALL = 1 << 7;
  static final int SETUP_COOP_TASKRUN = 1 << 8;
  static final int SETUP_TASKRUN_FLAG = 1 << 9;
  static final int SETUP_SINGLE_ISSUER = 1 << 12;
  static final int SETUP_DEFER_TASKRUN = 1 << 13;

  static final int FEAT_SINGLE_MMAP = 1;
  static final int FEAT_NODROP = 1 << 1;
  static final int FEAT_EXT_ARG = 1 << 8;

  static final int ENTER_GETEVENTS = 1;
  static final int ENTER_EXT_ARG = 1 << 3;

  static final int SQ_CQ_OVERFLOW = 1 << 1;
  static final int SQ_TASKRUN = 1 << 2;

  static final int RSRC_REGISTER_SPARSE = 1;
  static final int REGISTER_EVENTFD = 4;
  static final int REGISTER_PROBE = 8;
  static final int REGISTER_FILES2 = 13;
  static final int REGISTER_FILES_UPDATE2 = 14;
  static final int REGISTER_BUFFERS2 = 15;
  static final int REGISTER_BUFFERS_UPDATE = 16;

  static final int OP_NOP = 0;
  static final int OP_READV = 1;
  static final int OP_WRITEV = 2;
  static final int OP_FSYNC = 3;
  static final int OP_READ_FIXED = 4;
  static final int OP_WRITE_FIXED = 5;
  static final int OP_POLL_ADD = 6;
  static final int OP_POLL_REMOVE = 7;
  static final int OP_SENDMSG = 9;
  static final int OP_RECVMSG = 10;
  static final int OP_ACCEPT = 13;
  static final int OP_ASYNC_CANCEL = 14;
  static final int OP_CONNECT = 16;
  static final int OP_FALLOCATE = 17;
  static final int OP_READ = 22;
  static final int OP_WRITE = 23;

  @CName("IO_URING_OP_SUPPORTED")
  static final int OP_SUPPORTED = 1;

  @CName("IOSQE_FIXED_FILE")
  static final int SQE_FIXED_FILE = 1;

  static final int FSYNC_DATASYNC = 1;
  static final int POLL_ADD_MULTI = 1;
  static final int CQE_F_MORE = 1 << 1;

  @CName("POLLIN")
  static final int POLLIN = 1;

  @CName("SOCK_CLOEXEC")
  static final int SOCK_CLOEXEC = 0x80000;

  @CName("MSG_NOSIGNAL")
  static final int MSG_NOSIGNAL = 0x4000;

  @CName("MSG_WAITALL")
  static final int MSG_WAITALL = 0x100;

  @CName("FALLOC_FL_KEEP_SIZE")
  static final int FALLOC_FL_KEEP_SIZE = 1;

  @CName("FALLOC_FL_PUNCH_HOLE")
  static final int FALLOC_FL_PUNCH_HOLE = 2;

  @CName("FALLOC_FL_ZERO_RANGE")
  static final int FALLOC_FL_ZERO_RANGE = 16;

  @CName("RWF_DSYNC")
  static final int RWF_DSYNC = 2;

  private UringConstants() {}
}
