// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.export.nbd;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.BlockStatus;
import dev.spindle.block.graph.MemoryNode;
import dev.spindle.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A disk in memory that does each request at once, so that a model can tell what it holds. */
final class TransmissionNode extends MemoryNode {
  private final MemorySegment data;

  TransmissionNode(AioContext home, int bytes) {
    super("disk", "ram", home);
    this.data = Arena.global().allocate(bytes);
  }

  /** Has it hold something else; nobody uses it. */
  void fill(byte[] bytes) {
    MemorySegment.copy(bytes, 0, data, ValueLayout.JAVA_BYTE, 0, bytes.length);
  }

  /** Whether it holds that; nobody uses it. */
  boolean holds(byte[] bytes) {
    return data.mismatch(MemorySegment.ofArray(bytes)) < 0;
  }

  @Override
  public long length() {
    return data.byteSize();
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new MemoryLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        if (leaves(request, offset, data.byteSize())) {
          request.complete(-Errno.EIO);
          return;
        }
        transfer(request, data, offset);
        if (request.operation == BlockRequest.Operation.DISCARD) {
          data.asSlice(offset, request.length).fill((byte) 0);
        }
        request.complete(0);
      }

      /** Whatever is there: every other stretch is a hole. */
      @Override
      public BlockStatus blockStatus(long offset, long length) {
        long stretch = TransmissionModel.STRETCH;
        boolean hole = offset / stretch % 2 != 0;
        return new BlockStatus(Math.min(length, stretch - offset % stretch), !hole, hole, 1);
      }
    };
  }
}
