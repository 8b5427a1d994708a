// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.nbd;

import java.lang.foreign.MemorySegment;

/**
 * The head of a reply, or of one piece of a structured or extended one. An object is filled and
 * read again and again; nothing is allocated.
 */
public final class ReplyHeader {
  /** Bytes of a simple one. */
  public static final int SIMPLE_BYTES = 16;

  /** Bytes of a structured one. */
  public static final int STRUCTURED_BYTES = 20;

  /** Bytes of an extended one. */
  public static final int EXTENDED_BYTES = 32;

  private static final int SIMPLE_MAGIC = 0x67446698;
  private static final int STRUCTURED_MAGIC = 0x668e33ef;
  private static final int EXTENDED_MAGIC = 0x6e8a278c;

  private static final int MAGIC = 0;
  private static final int SIMPLE_ERROR = 4;
  private static final int FLAGS = 4;
  private static final int TYPE = 6;
  private static final int COOKIE = 8;
  private static final int STRUCTURED_LENGTH = 16;
  private static final int EXTENDED_OFFSET = 16;
  private static final int EXTENDED_LENGTH = 24;

  /** Which of the three it is. */
  public HeaderStyle style = HeaderStyle.SIMPLE;

  /** Of a simple one: 0, or an {@link NbdError}. */
  public int error;

  /** Of the others: {@link ReplyChunk#DONE} or 0. */
  public int flags;

  /** Of the others: a type of {@link ReplyChunk}. */
  public int type;

  /** The request's. */
  public long cookie;

  /** Of an extended one: the request's. */
  public long offset;

  /** Of the others: bytes that follow; unsigned. */
  public long length;

  /**
   * Which style the reply that begins here has; {@link #SIMPLE_BYTES} bytes are there.
   *
   * @return null if it begins with none of the three magic numbers
   */
  public static HeaderStyle styleOf(MemorySegment source, long at) {
    return switch (source.get(Wire.INT, at + MAGIC)) {
      case SIMPLE_MAGIC -> HeaderStyle.SIMPLE;
      case STRUCTURED_MAGIC -> HeaderStyle.STRUCTURED;
      case EXTENDED_MAGIC -> HeaderStyle.EXTENDED;
      default -> null;
    };
  }

  /** Reads a header of a style that {@link #styleOf} has told, all of which is there. */
  public void read(MemorySegment source, long at, HeaderStyle found) {
    style = found;
    cookie = source.get(Wire.LONG, at + COOKIE);
    if (found == HeaderStyle.SIMPLE) {
      error = source.get(Wire.INT, at + SIMPLE_ERROR);
      flags = ReplyChunk.DONE;
      type = ReplyChunk.NONE;
      offset = 0;
      length = 0;
      return;
    }
    error = 0;
    flags = Short.toUnsignedInt(source.get(Wire.SHORT, at + FLAGS));
    type = Short.toUnsignedInt(source.get(Wire.SHORT, at + TYPE));
    if (found == HeaderStyle.EXTENDED) {
      offset = source.get(Wire.LONG, at + EXTENDED_OFFSET);
      length = source.get(Wire.LONG, at + EXTENDED_LENGTH);
    } else {
      offset = 0;
      length = Integer.toUnsignedLong(source.get(Wire.INT, at + STRUCTURED_LENGTH));
    }
  }

  /** Writes a simple reply. */
  public static void writeSimple(MemorySegment target, long at, int error, long cookie) {
    target.set(Wire.INT, at + MAGIC, SIMPLE_MAGIC);
    target.set(Wire.INT, at + SIMPLE_ERROR, error);
    target.set(Wire.LONG, at + COOKIE, cookie);
  }

  /** Writes the head of a piece of a structured reply. */
  public static void writeStructured(
      MemorySegment target, long at, int flags, int type, long cookie, int length) {
    target.set(Wire.INT, at + MAGIC, STRUCTURED_MAGIC);
    target.set(Wire.SHORT, at + FLAGS, (short) flags);
    target.set(Wire.SHORT, at + TYPE, (short) type);
    target.set(Wire.LONG, at + COOKIE, cookie);
    target.set(Wire.INT, at + STRUCTURED_LENGTH, length);
  }

  /** Writes the head of a piece of an extended reply. */
  public static void writeExtended(
      MemorySegment target, long at, int flags, int type, long cookie, long offset, long length) {
    target.set(Wire.INT, at + MAGIC, EXTENDED_MAGIC);
    target.set(Wire.SHORT, at + FLAGS, (short) flags);
    target.set(Wire.SHORT, at + TYPE, (short) type);
    target.set(Wire.LONG, at + COOKIE, cookie);
    target.set(Wire.LONG, at + EXTENDED_OFFSET, offset);
    target.set(Wire.LONG, at + EXTENDED_LENGTH, length);
  }
}
