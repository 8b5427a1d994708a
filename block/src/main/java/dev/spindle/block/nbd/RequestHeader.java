// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.lang.foreign.MemorySegment;

/**
 * The head of a request, compact or extended. An object is filled and read again and again; nothing
 * is allocated.
 */
public final class RequestHeader {
  /** Bytes of a compact one. */
  public static final int COMPACT_BYTES = 28;

  /** Bytes of an extended one. */
  public static final int EXTENDED_BYTES = 32;

  private static final int COMPACT_MAGIC = 0x25609513;
  private static final int EXTENDED_MAGIC = 0x21e41c71;

  private static final int MAGIC = 0;
  private static final int FLAGS = 4;
  private static final int COMMAND = 6;
  private static final int COOKIE = 8;
  private static final int OFFSET = 16;
  private static final int LENGTH = 24;

  /** {@link CommandFlags}. */
  public int flags;

  /** {@link Command}, 0 to 65535. */
  public int command;

  /** What the reply has to bring back; the client's own business. */
  public long cookie;

  /** Where in the export, in bytes; unsigned. */
  public long offset;

  /** Bytes of the range, or of the payload; unsigned, at most 32 bits if compact. */
  public long length;

  /**
   * Reads a header.
   *
   * @return false if what is there does not begin with the right magic number
   */
  public boolean read(MemorySegment source, long at, HeaderStyle style) {
    boolean extended = style == HeaderStyle.EXTENDED;
    int magic = source.get(Wire.INT, at + MAGIC);
    flags = Short.toUnsignedInt(source.get(Wire.SHORT, at + FLAGS));
    command = Short.toUnsignedInt(source.get(Wire.SHORT, at + COMMAND));
    cookie = source.get(Wire.LONG, at + COOKIE);
    offset = source.get(Wire.LONG, at + OFFSET);
    length =
        extended
            ? source.get(Wire.LONG, at + LENGTH)
            : Integer.toUnsignedLong(source.get(Wire.INT, at + LENGTH));
    return magic == (extended ? EXTENDED_MAGIC : COMPACT_MAGIC);
  }

  /** Writes the header; of the length, 32 bits if compact. */
  public void write(MemorySegment target, long at, HeaderStyle style) {
    boolean extended = style == HeaderStyle.EXTENDED;
    target.set(Wire.INT, at + MAGIC, extended ? EXTENDED_MAGIC : COMPACT_MAGIC);
    target.set(Wire.SHORT, at + FLAGS, (short) flags);
    target.set(Wire.SHORT, at + COMMAND, (short) command);
    target.set(Wire.LONG, at + COOKIE, cookie);
    target.set(Wire.LONG, at + OFFSET, offset);
    if (extended) {
      target.set(Wire.LONG, at + LENGTH, length);
    } else {
      target.set(Wire.INT, at + LENGTH, (int) length);
    }
  }
}
