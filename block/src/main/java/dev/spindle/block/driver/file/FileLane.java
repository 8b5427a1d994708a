// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.file;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.HostRange;
import dev.spindle.block.graph.PartialWrites;
import dev.spindle.block.graph.RangeLocks;
import dev.spindle.linux.Errno;
import dev.spindle.linux.LinuxException;
import dev.spindle.linux.uring.SubmissionQueue;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The image file as one context's ring sees it. */
final class FileLane extends BlockLane {
  /** The longest that a file gets, in bytes: what the kernel takes, less a block. */
  private static final long MOST = Long.MAX_VALUE - (1 << 20);

  private final FileNode node;
  private final AioContext context;
  private final SubmissionQueue submission;
  private final int ringFile;
  private final FileOptions options;
  private final boolean direct;
  private final int requestMask;
  private final int memoryMask;
  private final int discardMask;
  private final BlockWrites writes;
  private final PartialWrites parts;

  /** Operations not in use; grows to the most that were ever in flight. */
  private FileOp[] free = new FileOp[64];

  private int freeCount;

  /** All operations, in use or not. */
  private final List<FileOp> operations = new ArrayList<>();

  FileLane(FileNode node, AioContext context) {
    this.node = node;
    this.context = context;
    this.submission = context.ring().submission();
    this.ringFile = context.ring().registerFile(node.image().file().fd());
    this.options = node.image().options();
    this.direct = options.direct();
    BlockLimits limits = node.image().limits();
    this.requestMask = limits.requestAlignment() - 1;
    this.memoryMask = limits.memoryAlignment() - 1;
    this.discardMask = node.image().discardAlignment() - 1;
    this.writes = node.writes();
    this.parts = writes.parts();
    writes.opened(this);
  }

  @Override
  public void submit(BlockRequest request, long offset) {
    if (leaves(request, offset, node.length()) && !grows(request, offset)) {
      request.complete(-Errno.EIO);
    } else if (direct && !aligned(request, offset)) {
      UnalignedRequest.start(node, this, request, offset);
    } else if (direct && parts.mustLock() && FileOp.isWrite(request)) {
      context.startVirtual("write-" + node.name(), () -> submitLocked(request, offset));
    } else {
      submitAligned(request, offset, request.length, null);
    }
  }

  /** Whether a request that leaves the file may do so, and room has been made for it if it must. */
  private boolean grows(BlockRequest request, long offset) {
    boolean possible =
        FileOp.isWrite(request)
            && offset >= 0
            && request.length >= 0
            && offset <= MOST - request.length
            && node.growable();
    if (!possible || request.operation == BlockRequest.Operation.DISCARD) {
      return false;
    }
    long end = offset + request.length;
    if (request.operation == BlockRequest.Operation.WRITE) {
      // The write itself makes the file longer.
      node.willWriteTo(end);
      return true;
    }
    try {
      node.growTo(end);
      return true;
    } catch (LinuxException e) {
      return false;
    }
  }

  private void submitLocked(BlockRequest request, long offset) {
    submitLocked(request, offset, request.length);
  }

  /** As {@link #submitAligned}, with the range's lock. On a virtual thread; waits for it. */
  void submitLocked(BlockRequest request, long offset, long length) {
    RangeLocks.Held held = null;
    FileOp operation = null;
    try {
      held = parts.lockWhole(offset, offset + length);
      operation = takeOperation();
    } finally {
      if (operation == null) {
        // Something was thrown, and nobody above would end the request.
        if (held != null) {
          held.close();
        }
        request.complete(-Errno.EIO);
      }
    }
    operation.start(request, offset, length, held);
  }

  private boolean aligned(BlockRequest request, long offset) {
    boolean wholeBlocks = ((offset | request.length) & requestMask) == 0;
    return switch (request.operation) {
      case READ, WRITE -> wholeBlocks && request.buffers.isAligned(memoryMask, memoryMask);
      case WRITE_ZEROES -> wholeBlocks;
      // Has no range, or needs not keep to it: whole blocks of it are discarded, if any.
      case FLUSH, DISCARD -> true;
    };
  }

  /**
   * Carries {@code request} out on a range that needs no detour, and completes it.
   *
   * @param held given back before completion; may be null
   */
  void submitAligned(BlockRequest request, long offset, long length, RangeLocks.Held held) {
    takeOperation().start(request, offset, length, held);
  }

  private FileOp takeOperation() {
    if (freeCount > 0) {
      return free[--freeCount];
    }
    FileOp operation = new FileOp(this);
    operations.add(operation);
    return operation;
  }

  /** Runs {@code action} once those writes are done that are on their way to a range by now. */
  void whenWritten(long start, long end, Runnable action) {
    List<FileOp> writing =
        operations.stream().filter(operation -> operation.isWriting(start, end)).toList();
    if (writing.isEmpty()) {
      action.run();
      return;
    }
    AtomicInteger left = new AtomicInteger(writing.size());
    for (FileOp operation : writing) {
      operation.whenEnded(
          () -> {
            if (left.decrementAndGet() == 0) {
              action.run();
            }
          });
    }
  }

  AioContext context() {
    return context;
  }

  SubmissionQueue submission() {
    return submission;
  }

  int ringFile() {
    return ringFile;
  }

  FileOptions options() {
    return options;
  }

  int requestMask() {
    return requestMask;
  }

  int discardMask() {
    return discardMask;
  }

  @Override
  public BlockStatus blockStatus(long offset, long length) {
    return FileExtents.status(node.image().file(), offset, length);
  }

  @Override
  public HostRange hostRange(long offset, long length) {
    return new HostRange(length, offset);
  }

  /** An operation ended: its object is free. */
  void ended(FileOp operation) {
    if (freeCount == free.length) {
      free = Arrays.copyOf(free, 2 * freeCount);
    }
    free[freeCount++] = operation;
  }

  @Override
  public void close() {
    writes.closed(this);
    for (int i = 0; i < freeCount; i++) {
      free[i].dispose();
    }
    context.ring().unregisterFile(ringFile);
  }
}
