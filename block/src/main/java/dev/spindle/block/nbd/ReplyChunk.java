// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** The types and flags of pieces of a structured or extended reply (NBD_REPLY_…), 16 bits. */
public final class ReplyChunk {
  /** Flag: nothing more follows on this request. */
  public static final int DONE = 1;

  /** Nothing to say. */
  public static final int NONE = 0;

  /** Offset (64 bits), then data. */
  public static final int OFFSET_DATA = 1;

  /** Offset (64 bits) and length (32 bits) of zeroes. */
  public static final int OFFSET_HOLE = 2;

  /** Context (32 bits), then for each extent its length and its status, 32 bits each. */
  public static final int BLOCK_STATUS = 5;

  /** Context and number of extents (32 bits each), then length and status of 64 bits each. */
  public static final int BLOCK_STATUS_EXT = 6;

  /** {@link NbdError} (32 bits), length of a message (16 bits), message. */
  public static final int ERROR = 0x8001;

  /** As {@link #ERROR}, then the offset (64 bits) where it happened. */
  public static final int ERROR_OFFSET = 0x8002;

  private static final int ERROR_BIT = 0x8000;

  private ReplyChunk() {}

  /** Whether a type, known or not, tells of an error. */
  public static boolean isError(int type) {
    return (type & ERROR_BIT) != 0;
  }
}
