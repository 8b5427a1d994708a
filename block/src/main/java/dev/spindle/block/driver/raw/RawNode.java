// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.ChildRole;
import java.util.Set;

/** A window of its child: requests pass through, moved by the window's offset. */
final class RawNode extends BlockNode {
  /** A window: what is outside belongs to others. */
  private static final Set<ChildRole> DATA = Set.of(ChildRole.DATA, ChildRole.PRIMARY);

  private final BlockNode file;
  private final long windowOffset;
  private final long length;
  private final boolean readOnly;

  RawNode(String name, BlockNode file, long windowOffset, long length, boolean readOnly)
      throws BlockException {
    super(name, "raw", file.context());
    this.file = file;
    this.windowOffset = windowOffset;
    this.length = length;
    this.readOnly = readOnly;
    boolean whole = windowOffset == 0 && length == file.length();
    attachChild(file, "file", whole ? ChildRole.FILTER : DATA);
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public BlockLimits limits() {
    return file.limits();
  }

  @Override
  public BlockLane openLane(AioContext context) {
    BlockLane below = file.openLane(context);
    if (windowOffset == 0) {
      return below;
    }
    return new BlockLane() {
      @Override
      public void submit(BlockRequest request, long offset) {
        below.submit(request, windowOffset + offset);
      }

      @Override
      public void close() {
        below.close();
      }
    };
  }

  @Override
  public void close() {
    detachChildren();
  }
}
