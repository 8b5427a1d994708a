// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.plugin.DiskException;
import dev.spindle.block.plugin.Extent;
import dev.spindle.block.plugin.NextDisk;
import dev.spindle.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * What is below a filter, for one of its requests. Only that request's thread may use it, and only
 * while the request is on: nobody would wait for what is sent otherwise.
 */
final class NextLane implements NextDisk {
  /** Stands for all threads but the one at work. */
  private static final Thread ANYBODY = Thread.ofPlatform().unstarted(() -> {});

  private final PluginLane lane;
  private final Thread user = Thread.currentThread();
  private boolean over;

  NextLane(PluginLane lane) {
    this.lane = lane;
  }

  /** The filter's own request is done. */
  void end() {
    over = true;
  }

  @Override
  public long size() {
    return lane.lengthBelow();
  }

  @Override
  public void read(MemorySegment data, long offset) throws DiskException {
    transfer(Operation.READ, data, offset, false);
  }

  @Override
  public void write(MemorySegment data, long offset) throws DiskException {
    transfer(Operation.WRITE, data, offset, false);
  }

  @Override
  public void writeDurably(MemorySegment data, long offset) throws DiskException {
    transfer(Operation.WRITE, data, offset, true);
  }

  private void transfer(Operation operation, MemorySegment data, long offset, boolean durably)
      throws DiskException {
    long length = data.byteSize();
    check(offset, length);
    // What only this thread may touch, nodes below could not copy on others.
    if (data.isNative() && data.isAccessibleBy(ANYBODY)) {
      send(new Part(operation, data, offset, length, durably, false));
      return;
    }
    try (TransferBuffers.Buffer buffer = lane.buffers().take(length)) {
      MemorySegment copy = buffer.first(length);
      if (operation == Operation.WRITE) {
        copy.copyFrom(data);
      }
      send(new Part(operation, copy, offset, length, durably, false));
      if (operation == Operation.READ) {
        data.copyFrom(copy);
      }
    }
  }

  @Override
  public Extent extent(long offset, long length) {
    check(offset, length);
    BlockStatus status =
        lane.context().isOwner()
            ? lane.below().blockStatus(offset, length)
            : statusFromElsewhere(offset, length);
    return new Extent(status.length(), status.data(), status.zero());
  }

  private BlockStatus statusFromElsewhere(long offset, long length) {
    CompletableFuture<BlockStatus> result = new CompletableFuture<>();
    lane.context()
        .startVirtual(
            "extent",
            () -> {
              try {
                result.complete(lane.below().blockStatus(offset, length));
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    return result.join();
  }

  @Override
  public void flush() throws DiskException {
    check(0, 0);
    send(new Part(Operation.FLUSH, null, 0, 0, false, false));
  }

  @Override
  public void discard(long offset, long length) throws DiskException {
    check(offset, length);
    send(new Part(Operation.DISCARD, null, offset, length, false, false));
  }

  @Override
  public void writeZeroes(long offset, long length, boolean mayDiscard) throws DiskException {
    check(offset, length);
    send(new Part(Operation.WRITE_ZEROES, null, offset, length, false, mayDiscard));
  }

  private void check(long offset, long length) {
    if (over || Thread.currentThread() != user) {
      throw new IllegalStateException(
          over
              ? "the next disk is used after the request has ended for which it was given"
              : "the next disk is used on a thread other than the request's");
    }
    Objects.checkFromIndexSize(offset, length, size());
  }

  /** A request to what is below; without data for those that have none. */
  private record Part(
      Operation operation,
      MemorySegment data,
      long offset,
      long length,
      boolean forceUnitAccess,
      boolean mayUnmap) {}

  private void send(Part part) throws DiskException {
    int result = lane.context().isOwner() ? sendHere(part) : sendFromElsewhere(part);
    if (result < 0) {
      throw new DiskException(-result, "the next disk failed: " + Errno.name(-result));
    }
  }

  private int sendHere(Part part) {
    try (ChildRequest request = prepare(part)) {
      return request.run(lane.below());
    }
  }

  /** The plugin has threads of its own: what is below belongs to the context. */
  private int sendFromElsewhere(Part part) {
    CompletableFuture<Integer> result = new CompletableFuture<>();
    lane.context()
        .execute(
            () -> {
              try {
                prepare(part)
                    .send(
                        lane.below(),
                        (request, status) -> {
                          request.close();
                          result.complete(status);
                        });
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    return result.join();
  }

  private ChildRequest prepare(Part part) {
    ChildRequest request = lane.takeChild();
    request.operation = part.operation;
    request.offset = part.offset;
    request.length = part.length;
    request.forceUnitAccess = part.forceUnitAccess;
    request.mayUnmap = part.mayUnmap;
    request.mustBeFast = false;
    if (part.data != null) {
      request.buffers.add(part.data, 0, part.length);
    }
    return request;
  }
}
