// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.raw;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.DebugEvents;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.image.PreallocatingImage;
import dev.spindle.block.image.Preallocation;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/** A window of its child: requests pass through, moved by the window's offset. */
final class RawNode extends BlockNode implements PreallocatingImage {
  /** A window: what is outside belongs to others. */
  private static final Set<ChildRole> WINDOW = Set.of(ChildRole.DATA, ChildRole.PRIMARY);

  /** Changed by reopening, in a drained section, as what follows is. */
  private BlockEdge file;

  private volatile RawOptions window;

  RawNode(String name, BlockNode file, RawOptions window) throws BlockException {
    super(name, "raw", file.context());
    this.window = window;
    this.file = attachChild(file, "file", roles(window, file));
  }

  private static Set<ChildRole> roles(RawOptions window, BlockNode file) {
    return window.isWhole(file) ? ChildRole.FILTER : WINDOW;
  }

  @Override
  public long length() {
    return window.length(file.node().length());
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
  public void resize(long newLength) throws BlockException {
    if (!window.isWhole(file.node())) {
      super.resize(newLength);
    }
    file.node().resize(newLength);
  }

  @Override
  public void preallocate(long from, Preallocation mode) throws BlockException {
    if (!window.isWhole(file.node()) || !(file.node() instanceof PreallocatingImage child)) {
      throw new BlockException("Unsupported preallocation mode: " + mode.word());
    }
    child.preallocate(from, mode);
  }

  @Override
  public Optional<Path> localFile() {
    return window.isWhole(file.node()) ? file.node().localFile() : Optional.empty();
  }

  /** A window never grows its child: it needs to write or resize there no more than its users. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    ChildPermissions needed = super.childPermissions(child, used, shared);
    Set<Permission> taken = Permission.none();
    taken.addAll(needed.used());
    taken.remove(Permission.WRITE);
    taken.remove(Permission.RESIZE);
    taken.addAll(used);
    return new ChildPermissions(taken, needed.shared());
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    RawOptions windowBefore = window;
    BlockEdge fileBefore = file;
    Optional<String> child = options.string("file");
    BlockNode next = child.isPresent() ? graph.find(child.get()) : file.node();
    RawOptions wanted = RawOptions.take(options).on(next);
    if (next != file.node() || !roles(wanted, next).equals(file.roles())) {
      // A link of its own: who is prepared after this node goes by the new child already.
      links.detach(file);
      file = links.attach(this, "file", roles(wanted, next), next);
    }
    if (wanted.offset() != windowBefore.offset()) {
      links.moved(this);
    }
    links.followsLength(file);
    window = wanted;
    return new Transaction.Action() {
      @Override
      public void abort() {
        window = windowBefore;
        file = fileBefore;
      }
    };
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane below = file.node().openLane(context);
    if (below instanceof DebugEvents events) {
      return new RawDebugLane(below, events, window.offset(), length());
    }
    return window.isWhole(file.node()) ? below : new RawLane(below, window.offset(), length());
  }

  @Override
  public void close() {
    detachChildren();
  }
}
