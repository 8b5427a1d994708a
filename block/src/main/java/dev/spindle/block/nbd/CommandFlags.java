// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** How a command is meant (NBD_CMD_FLAG_…), 16 bits. */
public final class CommandFlags {
  /** Answer only when what was written is on stable storage. */
  public static final int FUA = 1;

  /** WRITE_ZEROES: keep the range allocated. */
  public static final int NO_HOLE = 1 << 1;

  /** READ: all data in one piece. */
  public static final int DF = 1 << 2;

  /** BLOCK_STATUS: one extent for each context, no longer than asked. */
  public static final int REQ_ONE = 1 << 3;

  /** WRITE_ZEROES: refuse if that is no faster than writing. */
  public static final int FAST_ZERO = 1 << 4;

  /** With extended headers: the length is that of a payload which follows. */
  public static final int PAYLOAD_LEN = 1 << 5;

  private CommandFlags() {}
}
