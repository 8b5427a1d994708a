// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.nbd.Command;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.NbdError;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.ReplyHeader;
import dev.spindle.block.nbd.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Puts together the heads of replies in one style of headers. Allocates nothing. */
final class ReplyHead {
  /** What precedes the data of a piece: where it is in the export. */
  private static final int DATA_OFFSET_BYTES = 8;

  private static final int ERROR_BYTES = 6;
  private static final byte[] NO_TEXT = {};

  private final HeaderStyle style;

  ReplyHead(HeaderStyle style) {
    this.style = style;
  }

  /** It went well. */
  void success(NbdRequest request) {
    if (request.command == Command.READ && request.requestLength > 0) {
      data(request);
    } else if (style == HeaderStyle.SIMPLE) {
      simple(request, 0);
    } else {
      chunk(request, ReplyChunk.NONE, 0, 0);
    }
  }

  private void data(NbdRequest request) {
    request.replyBytes = request.requestLength;
    if (style == HeaderStyle.SIMPLE) {
      simple(request, 0);
      return;
    }
    chunk(request, ReplyChunk.OFFSET_DATA, DATA_OFFSET_BYTES, request.replyBytes);
    request.heads.set(Wire.LONG, request.headOffset + style.replyBytes(), request.requestOffset);
  }

  /** The server will not. */
  void refused(NbdRequest request, Refusal refusal) {
    error(request, refusal.error(), refusal.text());
  }

  /**
   * It went wrong.
   *
   * @param errno positive
   */
  void failed(NbdRequest request, int errno) {
    int error = NbdError.ofErrno(errno);
    // Clients know this error as one that only fast zeroing gives.
    boolean known = error != NbdError.ENOTSUP || request.mustBeFast;
    error(request, known ? error : NbdError.EINVAL, NO_TEXT);
  }

  private void error(NbdRequest request, int error, byte[] text) {
    request.replyBytes = 0;
    if (style == HeaderStyle.SIMPLE) {
      simple(request, error);
      return;
    }
    chunk(request, ReplyChunk.ERROR, ERROR_BYTES + text.length, 0);
    MemorySegment heads = request.heads;
    long at = request.headOffset + style.replyBytes();
    heads.set(Wire.INT, at, error);
    heads.set(Wire.SHORT, at + Integer.BYTES, (short) text.length);
    MemorySegment.copy(text, 0, heads, ValueLayout.JAVA_BYTE, at + ERROR_BYTES, text.length);
  }

  private void simple(NbdRequest request, int error) {
    ReplyHeader.writeSimple(request.heads, request.headOffset, error, request.cookie);
    request.headBytes = ReplyHeader.SIMPLE_BYTES;
  }

  /** The last piece of a reply, of which some bytes are in the head and some in the block. */
  private void chunk(NbdRequest request, int type, int inHead, long inBlock) {
    writeHeader(
        request.heads, request.headOffset, request, ReplyChunk.DONE, type, inHead + inBlock);
    request.headBytes = style.replyBytes() + inHead;
  }

  /** Writes the header of a piece anywhere; not for simple replies. */
  void writeHeader(
      MemorySegment target, long at, NbdRequest request, int flags, int type, long length) {
    if (style == HeaderStyle.EXTENDED) {
      ReplyHeader.writeExtended(
          target, at, flags, type, request.cookie, request.requestOffset, length);
    } else {
      ReplyHeader.writeStructured(target, at, flags, type, request.cookie, (int) length);
    }
  }
}
