// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.graph.BackendLane;
import dev.spindle.block.nbd.CommandFlags;
import dev.spindle.block.nbd.HeaderStyle;
import dev.spindle.block.nbd.ReplyChunk;
import dev.spindle.block.nbd.Wire;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Writes the answer to a block status request into the request's block: one piece for each context.
 * On a virtual thread of the lane's context, for nodes may have to read metadata.
 */
final class StatusQuery {
  /** Bytes of a block that holds any answer, for few contexts; more have more. */
  private static final long BLOCK_BYTES = 64 << 10;

  private static final long LEAST_BYTES_FOR_CONTEXT = 64;

  /** Extents that are looked at in one go; others on the context have their turn then. */
  private static final int EXTENTS_AT_ONCE = 32;

  /** A piece takes lengths of 32 bits, and multiples of any block size, unless it is extended. */
  private static final long LONGEST_COMPACT_EXTENT = 0xffff_ffffL & -(1 << 16);

  private final HeaderStyle style;
  private final ReplyHead head;
  private final List<MetaContext> contexts;

  /** What the lengths of extents are multiples of, as requests are. Bytes. */
  private final int block;

  private final int pieceHead;
  private final int extentBytes;

  StatusQuery(ClientTerms terms, ReplyHead head) {
    this.style = terms.style();
    this.head = head;
    this.contexts = terms.contexts();
    this.block = terms.sizes().minimum();
    boolean extended = style == HeaderStyle.EXTENDED;
    this.pieceHead = extended ? 8 : 4;
    this.extentBytes = extended ? 16 : 8;
  }

  /** How long the block of such a request is. */
  long replyBytes() {
    return Math.max(BLOCK_BYTES, contexts.size() * LEAST_BYTES_FOR_CONTEXT);
  }

  /**
   * Answers a request.
   *
   * @param chosen those of the contexts that it is about
   */
  void answer(
      NbdRequest request,
      BackendLane lane,
      MemorySegment memory,
      long length,
      List<MetaContext> chosen) {
    long room = replyBytes() / chosen.size();
    boolean one = (request.flags & CommandFlags.REQ_ONE) != 0;
    long most = (room - style.replyBytes() - pieceHead) / extentBytes;
    long at = request.block;
    for (int i = 0; i < chosen.size(); i++) {
      int flags = i == chosen.size() - 1 ? ReplyChunk.DONE : 0;
      at += piece(request, lane, memory, at, length, one ? 1 : most, chosen.get(i), flags);
    }
    request.headBytes = 0;
    request.replyBytes = at - request.block;
  }

  private long piece(
      NbdRequest request,
      BackendLane lane,
      MemorySegment memory,
      long at,
      long length,
      long most,
      MetaContext context,
      int flags) {
    long first = at + style.replyBytes() + pieceHead;
    long count = extents(request, lane, memory, first, length, most, context);
    long payload = pieceHead + count * extentBytes;
    boolean extended = style == HeaderStyle.EXTENDED;
    int type = extended ? ReplyChunk.BLOCK_STATUS_EXT : ReplyChunk.BLOCK_STATUS;
    head.writeHeader(memory, at, request, flags, type, payload);
    memory.set(Wire.INT, at + style.replyBytes(), context.number());
    if (extended) {
      memory.set(Wire.INT, at + style.replyBytes() + Integer.BYTES, (int) count);
    }
    return style.replyBytes() + payload;
  }

  /** Writes extents, neighbours of one status as one; returns how many. */
  private long extents(
      NbdRequest request,
      BackendLane lane,
      MemorySegment memory,
      long first,
      long length,
      long most,
      MetaContext context) {
    boolean compact = style != HeaderStyle.EXTENDED;
    long count = 0;
    long offset = request.requestOffset;
    long left = compact ? Math.min(length, LONGEST_COMPACT_EXTENT) : length;
    long run = 0;
    int status = 0;
    for (int looked = 1; left > 0; looked++) {
      if (looked % EXTENTS_AT_ONCE == 0) {
        Thread.yield();
      }
      MetaContext.Extent extent = wholeBlocks(context, lane, offset, left);
      if (run > 0 && extent.status() != status) {
        write(memory, first + count * extentBytes, run, status);
        run = 0;
        if (++count == most) {
          return count;
        }
      }
      status = extent.status();
      run += extent.length();
      offset += extent.length();
      left -= extent.length();
    }
    write(memory, first + count * extentBytes, run, status);
    return count + 1;
  }

  /** The extent at the start of a range of whole blocks; of a block of several, what joins them. */
  private MetaContext.Extent wholeBlocks(
      MetaContext context, BackendLane lane, long offset, long length) {
    MetaContext.Extent first = context.extent(lane, offset, length);
    long whole = first.length() & -block;
    if (whole > 0) {
      return new MetaContext.Extent(whole, first.status());
    }
    int status = first.status();
    for (long known = first.length(); known < block; ) {
      MetaContext.Extent next = context.extent(lane, offset + known, block - known);
      status = context.join(status, next.status());
      known += next.length();
    }
    return new MetaContext.Extent(block, status);
  }

  private void write(MemorySegment memory, long at, long length, int status) {
    if (style == HeaderStyle.EXTENDED) {
      memory.set(Wire.LONG, at, length);
      memory.set(Wire.LONG, at + Long.BYTES, Integer.toUnsignedLong(status));
    } else {
      memory.set(Wire.INT, at, (int) length);
      memory.set(Wire.INT, at + Integer.BYTES, status);
    }
  }
}
