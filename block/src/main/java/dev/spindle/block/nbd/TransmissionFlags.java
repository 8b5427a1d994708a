// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

/** What a server says that an export can do (NBD_FLAG_…), 16 bits. */
public final class TransmissionFlags {
  /** Always there. */
  public static final int HAS_FLAGS = 1;

  /** Writes are refused. */
  public static final int READ_ONLY = 1 << 1;

  /** Takes {@link Command#FLUSH}. */
  public static final int SEND_FLUSH = 1 << 2;

  /** Takes {@link CommandFlags#FUA}. */
  public static final int SEND_FUA = 1 << 3;

  /** Seeking costs time. */
  public static final int ROTATIONAL = 1 << 4;

  /** Takes {@link Command#TRIM}. */
  public static final int SEND_TRIM = 1 << 5;

  /** Takes {@link Command#WRITE_ZEROES}. */
  public static final int SEND_WRITE_ZEROES = 1 << 6;

  /** Takes {@link CommandFlags#DF}. */
  public static final int SEND_DF = 1 << 7;

  /** What one connection has flushed is flushed for all. */
  public static final int CAN_MULTI_CONN = 1 << 8;

  /** Takes {@link Command#RESIZE} (an extension). */
  public static final int SEND_RESIZE = 1 << 9;

  /** Takes {@link Command#CACHE}. */
  public static final int SEND_CACHE = 1 << 10;

  /** Takes {@link CommandFlags#FAST_ZERO}. */
  public static final int SEND_FAST_ZERO = 1 << 11;

  /** Takes a list of metadata contexts with {@link Command#BLOCK_STATUS}. */
  public static final int BLOCK_STATUS_PAYLOAD = 1 << 12;

  private TransmissionFlags() {}
}
