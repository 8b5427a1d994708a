// SPDX-License-Identifier: Apache-2.0
package dev.spindle.linux.uring;

import dev.spindle.linux.internal.CName;
import dev.spindle.linux.internal.CStruct;

/** Sizes and offsets (bytes) of the structures that io_uring shares with the kernel. */
final class UringAbi {
  private static final String HEADER = "linux/io_uring.h";

  private UringAbi() {}

  @CStruct(value = "struct io_uring_params", headers = HEADER)
  static final class Params {
    static final int SIZE = 120;
    static final int SQ_ENTRIES = 0;
    static final int CQ_ENTRIES = 4;
    static final int FLAGS = 8;
    static final int FEATURES = 20;
    static final int SQ_OFF = 40;
    static final int CQ_OFF = 80;

    private Params() {}
  }

  @CStruct(value = "struct io_sqring_offsets", headers = HEADER)
  static final class SqOffsets {
    static final int SIZE = 40;
    static final int HEAD = 0;
    static final int TAIL = 4;
    static final int RING_MASK = 8;
    static final int FLAGS = 16;
    static final int ARRAY = 24;

    private SqOffsets() {}
  }

  @CStruct(value = "struct io_cqring_offsets", headers = HEADER)
  static final class CqOffsets {
    static final int SIZE = 40;
    static final int HEAD = 0;
    static final int TAIL = 4;
    static final int RING_MASK = 8;
    static final int CQES = 20;

    private CqOffsets() {}
  }

  @CStruct(value = "struct io_uring_sqe", headers = HEADER)
  static final class Sqe {
    static final int SIZE = 64;
    static final int OPCODE = 0;
    static final int FLAGS = 1;
    static final int IOPRIO = 2;
    static final int FD = 4;
    static final int OFF = 8;
    static final int ADDR = 16;
    static final int LEN = 24;

    @CName("rw_flags")
    static final int OP_FLAGS = 28;

    static final int USER_DATA = 32;
    static final int BUF_INDEX = 40;
    static final int ADDR3 = 48;

    private Sqe() {}
  }

  @CStruct(value = "struct io_uring_cqe", headers = HEADER)
  static final class Cqe {
    static final int SIZE = 16;
    static final int USER_DATA = 0;
    static final int RES = 8;
    static final int FLAGS = 12;

    private Cqe() {}
  }

  @CStruct(value = "struct io_uring_getevents_arg", headers = HEADER)
  static final class GeteventsArg {
    static final int SIZE = 24;
    static final int TS = 16;

    private GeteventsArg() {}
  }

  @CStruct(value = "struct __kernel_timespec", headers = "linux/time_types.h")
  static final class Timespec {
    static final int SIZE = 16;
    static final int TV_SEC = 0;
    static final int TV_NSEC = 8;

    private Timespec() {}
  }

  @CStruct(value = "struct io_uring_rsrc_register", headers = HEADER)
  static final class RsrcRegister {
    static final int SIZE = 32;
    static final int NR = 0;
    static final int FLAGS = 4;

    private RsrcRegister() {}
  }

  @CStruct(value = "struct io_uring_rsrc_update2", headers = HEADER)
  static final class RsrcUpdate2 {
    static final int SIZE = 32;
    static final int OFFSET = 0;
    static final int DATA = 8;
    static final int NR = 24;

    private RsrcUpdate2() {}
  }

  /** Head of the answer to a probe; one {@link ProbeOp} for each operation follows. */
  @CStruct(value = "struct io_uring_probe", headers = HEADER)
  static final class Probe {
    static final int SIZE = 16;
    static final int OPS_LEN = 1;

    private Probe() {}
  }

  @CStruct(value = "struct io_uring_probe_op", headers = HEADER)
  static final class ProbeOp {
    static final int SIZE = 8;
    static final int FLAGS = 2;

    private ProbeOp() {}
  }
}
