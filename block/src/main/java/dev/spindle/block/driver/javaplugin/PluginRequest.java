// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.block.plugin.DiskFilter;
import java.lang.foreign.MemorySegment;

/**
 * One request on its way to a plugin, which gets it in pieces of whole blocks, each in one piece of
 * memory: the user's own where that is possible. Parts of blocks are read, changed and written
 * back. On a thread that may wait.
 */
final class PluginRequest {
  /** Bytes that a plugin reads or writes at once, at most. */
  private static final long MOST = 1 << 20;

  private final PluginNode node;
  private final DiskFilter plugin;

  /** Null for a plain driver. */
  private final NextLane next;

  private final BlockRequest request;
  private final long start;
  private final long end;
  private final long block;

  PluginRequest(PluginNode node, NextLane next, BlockRequest request, long offset) {
    this.node = node;
    this.plugin = node.plugin().requests();
    this.next = next;
    this.request = request;
    this.start = offset;
    this.end = offset + request.length;
    this.block = node.plugin().blockSize();
  }

  /** What is to be done with some blocks. */
  @FunctionalInterface
  private interface Piece {
    void run(long from, long to) throws Exception;
  }

  /** Carries it out. Whatever it throws is the plugin's failure. */
  void run() throws Exception {
    switch (request.operation) {
      case READ -> inPieces(MOST, this::read);
      case WRITE -> change(MOST, this::write);
      case WRITE_ZEROES -> change(Long.MAX_VALUE, this::writeZeroes);
      case DISCARD -> discard();
      case FLUSH -> plugin.flush(next);
    }
  }

  /** Each part of a block at the ends is a piece; whole blocks between come together. */
  private void inPieces(long most, Piece piece) throws Exception {
    long wholeEnd = end & -block;
    long from = start & -block;
    while (from < end && start < end) {
      boolean whole = from >= start && from < wholeEnd;
      long to = from + (whole ? Math.min(most, wholeEnd - from) : block);
      piece.run(from, to);
      from = to;
    }
  }

  private void change(long most, Piece piece) throws Exception {
    if (block == 1) {
      inPieces(most, piece);
    } else {
      long from = start & -block;
      long to = (end + block - 1) & -block;
      boolean partial = from < start || to > end;
      try (RangeLocks.Held held = node.partialWrites().lock(from, to, partial)) {
        inPieces(most, piece);
      }
    }
    if (request.forceUnitAccess && !writesDurably()) {
      plugin.flush(next);
    }
  }

  private void read(long from, long to) throws Exception {
    if (isDirect(from, to)) {
      plugin.read(next, part(from, to), from);
      return;
    }
    try (TransferBuffers.Buffer buffer = node.buffers().take(to - from)) {
      MemorySegment data = buffer.first(to - from);
      plugin.read(next, data, from);
      long first = Math.max(from, start);
      request.buffers.copyFrom(first - start, data, first - from, Math.min(to, end) - first);
    }
  }

  private void write(long from, long to) throws Exception {
    if (isDirect(from, to)) {
      put(part(from, to).asReadOnly(), from);
      return;
    }
    rewrite(
        from,
        to,
        (data, position, length) ->
            request.buffers.copyTo(Math.max(from, start) - start, data, position, length));
  }

  private void writeZeroes(long from, long to) throws Exception {
    if (isWhole(from, to)) {
      plugin.writeZeroes(next, from, to - from, request.mayUnmap);
      return;
    }
    rewrite(from, to, (data, position, length) -> data.asSlice(position, length).fill((byte) 0));
  }

  /** Puts into blocks what the request has for them. */
  @FunctionalInterface
  private interface Change {
    void apply(MemorySegment data, long position, long length);
  }

  private void rewrite(long from, long to, Change change) throws Exception {
    try (TransferBuffers.Buffer buffer = node.buffers().take(to - from)) {
      MemorySegment data = buffer.first(to - from);
      if (!isWhole(from, to)) {
        plugin.read(next, data, from);
      }
      long first = Math.max(from, start);
      change.apply(data, first - from, Math.min(to, end) - first);
      put(data.asReadOnly(), from);
    }
  }

  private void put(MemorySegment data, long offset) throws Exception {
    if (writesDurably()) {
      plugin.writeDurably(next, data, offset);
    } else {
      plugin.write(next, data, offset);
    }
  }

  /** Whether each piece is durable once it is written; otherwise one flush for all follows. */
  private boolean writesDurably() {
    return request.forceUnitAccess
        && request.operation == BlockRequest.Operation.WRITE
        && node.plugin().capabilities().durableWrites();
  }

  /** Only whole blocks: what is left of others still counts. */
  private void discard() throws Exception {
    long from = (start + block - 1) & -block;
    long to = end & -block;
    if (from < to) {
      plugin.discard(next, from, to - from);
    }
  }

  private boolean isWhole(long from, long to) {
    return from >= start && to <= end;
  }

  /** Whether the user's memory is in one piece there. */
  private boolean isDirect(long from, long to) {
    return isWhole(from, to) && request.buffers.count() == 1;
  }

  private MemorySegment part(long from, long to) {
    return request.buffers.segment(0).asSlice(from - start, to - from);
  }
}
