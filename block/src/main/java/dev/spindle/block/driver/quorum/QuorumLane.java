// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.quorum;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BounceBuffers;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.graph.ChildRequests;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.IoVector;
import java.util.ArrayDeque;
import java.util.function.IntSupplier;

/**
 * One context's way to all members. Writes and flushes go to all at once, on the fast lane; reads
 * are straight-line code, and so are writes where outvoted members are put right.
 */
final class QuorumLane extends BlockLane {
  private final QuorumNode node;
  private final AioContext context;
  private final BlockLane[] members;
  private final QuorumOptions options;
  private final ChildRequests children = new ChildRequests();
  private final BounceBuffers buffers = new BounceBuffers();
  private final ArrayDeque<QuorumWrite> free = new ArrayDeque<>();

  QuorumLane(QuorumNode node, AioContext context, BlockLane[] members) {
    super(members);
    this.node = node;
    this.context = context;
    this.members = members;
    this.options = node.options();
  }

  BlockLane member(int index) {
    return members[index];
  }

  int size() {
    return members.length;
  }

  int threshold() {
    return options.threshold();
  }

  MemberHealth health() {
    return node.health();
  }

  BounceBuffers buffers() {
    return buffers;
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (request.operation == Operation.WRITE_ZEROES && request.mustBeFast) {
      // A member that refuses would keep what it has, and differ from those that do not.
      request.complete(-Errno.EOPNOTSUPP);
      return;
    }
    switch (request.operation) {
      case READ -> straightLine(request, () -> read(request, offset));
      case WRITE, WRITE_ZEROES -> {
        if (options.rewriteCorrupted()) {
          straightLine(request, () -> writeLocked(request, offset));
        } else {
          toAll(request, offset);
        }
      }
      case FLUSH -> toAll(request, offset);
      // What a discarded range reads as is open, so members would differ.
      case DISCARD -> request.complete(0);
    }
  }

  private void toAll(BlockRequest request, long offset) {
    QuorumWrite write = free.isEmpty() ? new QuorumWrite(this, members.length) : free.pop();
    write.start(request, offset);
  }

  void putBack(QuorumWrite write) {
    free.push(write);
  }

  private void straightLine(BlockRequest request, IntSupplier body) {
    request.completeWith(context, "quorum-" + node.name(), body);
  }

  private int read(BlockRequest request, long offset) {
    if (options.fifo()) {
      return readFirst(request, offset);
    }
    try (QuorumRead read = new QuorumRead(this, request, offset)) {
      int result = read.run();
      if (result < 0 || !options.rewriteCorrupted() || !read.differ()) {
        return result;
      }
    }
    // Once more, with nobody writing meanwhile: what differs now is to be put right.
    RangeLocks.Held held = node.repairs().lock(offset, offset + request.length, true);
    try (held;
        QuorumRead read = new QuorumRead(this, request, offset)) {
      int result = read.run();
      if (result == 0) {
        read.rewriteOutvoted();
      }
      return result;
    }
  }

  /** Asks one member after the other. Returns the last one's error if none succeeds. */
  private int readFirst(BlockRequest request, long offset) {
    int result = 0;
    for (int i = 0; i < members.length; i++) {
      try (ChildRequest part = part(request, offset, request.buffers)) {
        result = part.run(members[i]);
      }
      health().ended(i, result, offset);
      if (result == 0) {
        return 0;
      }
    }
    return result;
  }

  private int writeLocked(BlockRequest request, long offset) {
    RangeLocks.Held held = node.repairs().lock(offset, offset + request.length, false);
    try (held) {
      int[] results = new int[members.length];
      ChildRequest[] parts = new ChildRequest[members.length];
      for (int i = 0; i < parts.length; i++) {
        parts[i] = part(request, offset, request.buffers);
        parts[i].send(members[i]);
      }
      for (int i = 0; i < parts.length; i++) {
        results[i] = parts[i].await();
        health().ended(i, results[i], offset);
        parts[i].close();
      }
      return Votes.outcome(results, options.threshold());
    }
  }

  /** The same request for one member, with its own list of the same memory. */
  ChildRequest part(BlockRequest request, long offset, IoVector data) {
    ChildRequest part = children.take(data.count());
    part.copy(request, offset);
    part.buffers.addAll(data, 0, data.totalBytes());
    return part;
  }

  /** A write of one range to one member. */
  int write(int member, BounceBuffers.Buffer data, long offset) {
    try (ChildRequest part = children.take(1)) {
      part.operation = Operation.WRITE;
      part.offset = offset;
      part.length = data.memory().byteSize();
      part.forceUnitAccess = false;
      part.mayUnmap = false;
      part.buffers.addAll(data.vector(), 0, part.length);
      return part.run(members[member]);
    }
  }

  @Override
  public void close() {
    for (BlockLane member : members) {
      member.close();
    }
  }
}
