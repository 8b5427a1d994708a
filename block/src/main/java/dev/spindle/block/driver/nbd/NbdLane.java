// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.nbd.MetaContexts;
import dev.spindle.block.nbd.TransmissionFlags;
import dev.spindle.linux.Errno;

/** The export as one context sees it: sends what needs no detour to the context's channel. */
final class NbdLane extends BlockLane {
  private final NbdNode node;
  private final AioContext context;
  private final ExportTerms terms;
  private final NbdOptions options;
  private final long length;

  /** Blocks of the server's, less one. */
  private final long mask;

  private final BounceBuffers buffers = new BounceBuffers();

  /** Null until there is a request. */
  private Channel channel;

  NbdLane(NbdNode node, AioContext context) {
    this.node = node;
    this.context = context;
    this.terms = node.terms();
    this.options = node.options();
    this.length = node.length();
    this.mask = terms.sizes().minimum() - 1L;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, length)) {
      request.complete(-Errno.EIO);
    } else if (isNothing(request)) {
      request.complete(0);
    } else if (request.operation == BlockRequest.Operation.DISCARD) {
      discard(request, offset);
    } else if (isTooSlow(request)) {
      request.complete(-Errno.EOPNOTSUPP);
    } else if (needsDetour(request, offset)) {
      Detour.start(node, this, request, offset);
    } else {
      send(request, offset, request.length);
    }
  }

  private boolean isNothing(BlockRequest request) {
    return switch (request.operation) {
      case FLUSH -> options.noFlush() || !terms.has(TransmissionFlags.SEND_FLUSH);
      case DISCARD -> !options.unmap() || !terms.has(TransmissionFlags.SEND_TRIM);
      case READ ->
          request.length == 0 || (request.onlyFetch && !terms.has(TransmissionFlags.SEND_CACHE));
      case WRITE, WRITE_ZEROES -> request.length == 0;
    };
  }

  /** Zeroes that must be fast, of which the server cannot say whether they would be. */
  private boolean isTooSlow(BlockRequest request) {
    return request.operation == BlockRequest.Operation.WRITE_ZEROES
        && request.mustBeFast
        && !(terms.has(TransmissionFlags.SEND_WRITE_ZEROES)
            && terms.has(TransmissionFlags.SEND_FAST_ZERO));
  }

  /** A discard is only a hint: parts of blocks are kept. */
  private void discard(BlockRequest request, long offset) {
    long end = Math.min(offset + request.length, terms.size()) & ~mask;
    long start = (offset + mask) & ~mask;
    if (start >= end) {
      request.complete(0);
    } else {
      send(request, start, end - start);
    }
  }

  private boolean needsDetour(BlockRequest request, long offset) {
    if (request.operation == BlockRequest.Operation.FLUSH) {
      return false;
    }
    // A server's last sector may be one in part, and writes of parts of blocks change whole ones.
    if (offset + request.length > terms.size()) {
      return true;
    }
    boolean read = request.operation == BlockRequest.Operation.READ;
    return mask != 0 && (!read || ((offset | request.length) & mask) != 0);
  }

  /** Sends a request on its way, as far as a range of the export goes that needs no detour. */
  void send(BlockRequest request, long offset, long bytes) {
    if (channel == null) {
      channel = node.channels().enter(context);
    }
    if (channel.context() == context) {
      channel.submit(request, offset, bytes, null);
    } else {
      channel.post(new RemoteRequest(channel, context, request, offset, bytes));
    }
  }

  @Override
  public BlockStatus blockStatus(long offset, long bytes) {
    if (offset >= terms.size()) {
      return new BlockStatus(bytes, false, true, 1);
    }
    if (!terms.hasContext()) {
      return BlockStatus.allData(bytes);
    }
    long there = Math.min(bytes, terms.size() - offset);
    long start = offset & ~mask;
    long asked = ((offset + there + mask) & ~mask) - start;
    StatusQuery query = new StatusQuery();
    send(query, start, asked);
    long known = query.await() < 0 ? 0 : query.extentLength - (offset - start);
    if (known <= 0) {
      return BlockStatus.allData(bytes);
    }
    boolean data = (query.extentFlags & MetaContexts.STATE_HOLE) == 0;
    boolean zero = (query.extentFlags & MetaContexts.STATE_ZERO) != 0;
    return new BlockStatus(Math.min(known, there), data, zero, 1);
  }

  AioContext context() {
    return context;
  }

  BounceBuffers buffers() {
    return buffers;
  }

  @Override
  public void close() {
    if (channel != null) {
      node.channels().exit(channel, context);
    }
  }
}
