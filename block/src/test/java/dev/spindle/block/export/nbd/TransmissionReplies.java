// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.spindle.block.export.nbd.TransmissionModel.Expected;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.ReplyHeader;
import dev.spindle.block.nbd.Wire;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Reads what an export has answered, and compares it with a model's answers. */
final class TransmissionReplies {
  private final MemorySegment said;
  private final HeaderStyle style;
  private final TransmissionModel model;
  private final ReplyHeader header = new ReplyHeader();
  private long at;

  TransmissionReplies(byte[] said, HeaderStyle style, TransmissionModel model) {
    this.said = MemorySegment.ofArray(said);
    this.style = style;
    this.model = model;
  }

  /** Compares all replies; the last one may have been cut off. */
  void check() {
    while (isThere(style.replyBytes())) {
      assertEquals(style, ReplyHeader.styleOf(said, at));
      header.read(said, at, style);
      at += style.replyBytes();
      boolean whole = style == HeaderStyle.SIMPLE ? simple() : chunk();
      if (!whole) {
        return;
      }
    }
  }

  private boolean isThere(long bytes) {
    return bytes <= said.byteSize() - at;
  }

  private boolean simple() {
    Expected expected = model.answered(header.cookie, false);
    assertEquals(expected.error(), header.error);
    return data(expected);
  }

  /** Returns false if they are not all there. */
  private boolean data(Expected expected) {
    if (expected.data() == null) {
      return true;
    }
    int length = expected.data().length;
    if (!isThere(length)) {
      return false;
    }
    assertEquals(
        -1,
        said.asSlice(at, length).mismatch(MemorySegment.ofArray(expected.data())),
        "other data than there are");
    at += length;
    return true;
  }

  private boolean chunk() {
    boolean status = isStatus();
    if (!status) {
      assertEquals(ReplyChunk.DONE, header.flags);
    }
    Expected expected = model.answered(header.cookie, status);
    checkOffset(expected);
    if (status) {
      return status(expected);
    }
    if (expected.error() != 0) {
      return error(expected);
    }
    assertEquals(expected.data() == null ? ReplyChunk.NONE : ReplyChunk.OFFSET_DATA, header.type);
    assertEquals(expected.data() == null ? 0 : 8L + expected.data().length, header.length);
    if (expected.data() == null) {
      return true;
    }
    if (!isThere(Long.BYTES)) {
      return false;
    }
    assertEquals(expected.offset(), said.get(Wire.LONG, at));
    at += Long.BYTES;
    return data(expected);
  }

  private void checkOffset(Expected expected) {
    if (style == HeaderStyle.EXTENDED) {
      assertEquals(expected.offset(), header.offset);
    }
  }

  private boolean isStatus() {
    return header.type == ReplyChunk.BLOCK_STATUS || header.type == ReplyChunk.BLOCK_STATUS_EXT;
  }

  private boolean error(Expected expected) {
    assertEquals(ReplyChunk.ERROR, header.type);
    if (!isThere(header.length)) {
      return false;
    }
    assertEquals(expected.error(), said.get(Wire.INT, at));
    assertEquals(6L + Short.toUnsignedInt(said.get(Wire.SHORT, at + 4)), header.length);
    at += header.length;
    return true;
  }

  /** One piece for each context, one after the other. */
  private boolean status(Expected expected) {
    long cookie = header.cookie;
    List<Integer> contexts = expected.contexts();
    for (int i = 0; i < contexts.size(); i++) {
      if (i > 0) {
        if (!isThere(style.replyBytes())) {
          return false;
        }
        header.read(said, at, style);
        at += style.replyBytes();
        assertEquals(cookie, header.cookie);
        assertTrue(isStatus());
        checkOffset(expected);
      }
      assertEquals(i == contexts.size() - 1 ? ReplyChunk.DONE : 0, header.flags);
      if (!isThere(header.length)) {
        return false;
      }
      extents(expected, contexts.get(i));
    }
    return true;
  }

  private void extents(Expected expected, int context) {
    boolean wide = style == HeaderStyle.EXTENDED;
    assertEquals(wide ? ReplyChunk.BLOCK_STATUS_EXT : ReplyChunk.BLOCK_STATUS, header.type);
    long end = at + header.length;
    assertEquals(context, said.get(Wire.INT, at));
    List<Long> told = new ArrayList<>();
    for (long place = at + (wide ? 8 : 4); place < end; ) {
      told.add(number(place, wide));
      told.add(number(place + (wide ? 8 : 4), wide));
      place += wide ? 16 : 8;
    }
    if (wide) {
      assertEquals(told.size() / 2, said.get(Wire.INT, at + 4));
    }
    assertEquals(expected.extents(context), told);
    at = end;
  }

  private long number(long place, boolean wide) {
    return wide ? said.get(Wire.LONG, place) : Integer.toUnsignedLong(said.get(Wire.INT, place));
  }
}
