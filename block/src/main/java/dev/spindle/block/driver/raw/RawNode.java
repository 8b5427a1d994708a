// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.BlockRequest;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.DebugEvents;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.Optional;
import java.util.Set;

/** A window of its child: requests pass through, moved by the window's offset. */
final class RawNode extends BlockNode {
  /** A window: what is outside belongs to others. */
  private static final Set<ChildRole> WINDOW = Set.of(ChildRole.DATA, ChildRole.PRIMARY);

  private final BlockEdge file;

  /** Changed by reopening, in a drained section. */
  private volatile RawOptions window;

  RawNode(String name, BlockNode file, RawOptions window) throws BlockException {
    super(name, "raw", file.context());
    this.window = window;
    this.file = attachChild(file, "file", window.isWhole(file) ? ChildRole.FILTER : WINDOW);
  }

  @Override
  public long length() {
    return window.size();
  }

  @Override
  public boolean readOnly() {
    return window.readOnly();
  }

  @Override
  public BlockLimits limits() {
    return file.node().limits();
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    RawOptions before = window;
    Optional<String> child = options.string("file");
    BlockNode next = child.isPresent() ? graph.find(child.get()) : file.node();
    window = RawOptions.take(options).on(next);
    if (next != file.node()) {
      links.redirect(file, next);
    }
    return new Transaction.Action() {
      @Override
      public void abort() {
        window = before;
      }
    };
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane below = file.node().openLane(context);
    long start = window.offset();
    if (below instanceof DebugEvents events) {
      return new RawDebugLane(below, events, start);
    }
    if (start == 0) {
      return below;
    }
    return new BlockLane(below) {
      @Override
      public void submit(BlockRequest request, long offset) {
        below.submit(request, start + offset);
      }

      @Override
      public long allocated(long offset, long length) {
        return below.allocated(start + offset, length);
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
