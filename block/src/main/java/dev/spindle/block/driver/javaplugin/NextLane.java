// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.javaplugin;

import dev.spindle.block.graph.BlockRequest.Operation;
import dev.spindle.block.graph.ChildRequest;
import dev.spindle.block.plugin.DiskException;
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
    transfer(Operation.READ, data, offset);
  }

  @Override
  public void write(MemorySegment data, long offset) throws DiskException {
    transfer(Operation.WRITE, data, offset);
  }

  private void transfer(Operation operation, MemorySegment data, long offset) throws DiskException {
    long length = data.byteSize();
    check(offset, length);
    // What only this thread may touch, nodes below could not copy on others.
    if (data.isNative() && data.isAccessibleBy(ANYBODY)) {
      send(operation, data, offset, length, false);
      return;
    }
    MemorySegment copy = lane.buffers().take(length);
    try {
      if (operation == Operation.WRITE) {
        MemorySegment.copy(data, 0, copy, 0, length);
      }
      send(operation, copy, offset, length, false);
      if (operation == Operation.READ) {
        MemorySegment.copy(copy, 0, data, 0, length);
      }
    } finally {
      lane.buffers().giveBack(copy);
    }
  }

  @Override
  public void flush() throws DiskException {
    check(0, 0);
    send(Operation.FLUSH, null, 0, 0, false);
  }

  @Override
  public void discard(long offset, long length) throws DiskException {
    check(offset, length);
    send(Operation.DISCARD, null, offset, length, false);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean mayDiscard) throws DiskException {
    check(offset, length);
    send(Operation.WRITE_ZEROES, null, offset, length, mayDiscard);
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

  private void send(
      Operation operation, MemorySegment data, long offset, long length, boolean mayUnmap)
      throws DiskException {
    int result =
        lane.context().isOwner()
            ? sendHere(operation, data, offset, length, mayUnmap)
            : sendFromElsewhere(operation, data, offset, length, mayUnmap);
    if (result < 0) {
      throw new DiskException(-result, "the next disk failed: " + Errno.name(-result));
    }
  }

  private int sendHere(
      Operation operation, MemorySegment data, long offset, long length, boolean mayUnmap) {
    try (ChildRequest part = prepare(operation, data, offset, length, mayUnmap)) {
      return part.run(lane.below());
    }
  }

  /** The plugin has threads of its own: what is below belongs to the context. */
  private int sendFromElsewhere(
      Operation operation, MemorySegment data, long offset, long length, boolean mayUnmap) {
    CompletableFuture<Integer> result = new CompletableFuture<>();
    lane.context()
        .execute(
            () -> {
              try {
                prepare(operation, data, offset, length, mayUnmap)
                    .send(
                        lane.below(),
                        (part, status) -> {
                          part.close();
                          result.complete(status);
                        });
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    return result.join();
  }

  private ChildRequest prepare(
      Operation operation, MemorySegment data, long offset, long length, boolean mayUnmap) {
    ChildRequest part = lane.takeChild();
    part.operation = operation;
    part.offset = offset;
    part.length = length;
    part.forceUnitAccess = false;
    part.mayUnmap = mayUnmap;
    part.mustBeFast = false;
    if (data != null) {
      part.buffers.add(data, 0, length);
    }
    return part;
  }
}
