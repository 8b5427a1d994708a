// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BackingChain;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.FilterNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.RangeLocks;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A filter that writes what is read out of backing files into its own file. */
public final class CopyOnReadNode extends FilterNode {
  private final Optional<BackingChain> chain;

  /** The backing files whose data is copied, the uppermost first; null for all. */
  private final List<BlockNode> copied;

  private boolean frozen;

  /** Writes share their range; who copies has it alone, lest old data overwrites new. */
  private final RangeLocks copying = new RangeLocks();

  /**
   * Makes a filter that nobody uses yet.
   *
   * @param bottom the lowest backing file whose data is copied; null for all
   * @param user who relies on the links down to there, as errors name him; null for the filter
   * @throws BlockException if {@code bottom} is no backing file of {@code file}, or somebody relies
   *     on a link on the way already
   */
  public CopyOnReadNode(String name, BlockNode file, BlockNode bottom, String user)
      throws BlockException {
    super(name, "copy-on-read", "file", file);
    this.chain = chain(file, bottom);
    this.copied = chain.map(CopyOnReadNode::backingFiles).orElse(null);
    takeHold();
    try {
      freeze(user == null ? describe() : user);
    } catch (BlockException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  private static Optional<BackingChain> chain(BlockNode file, BlockNode bottom)
      throws BlockException {
    if (bottom == null) {
      return Optional.empty();
    }
    if (BackingChain.filtered(bottom).isPresent()) {
      throw new BlockException("Bottom node '" + bottom.name() + "' is a filter");
    }
    Optional<BackingChain> found = BackingChain.of(file).downTo(bottom);
    if (found.isEmpty()) {
      throw new BlockException(
          "Bottom node '%s' is not in the backing chain of node '%s'"
              .formatted(bottom.name(), file.name()));
    }
    return found;
  }

  private static List<BlockNode> backingFiles(BackingChain chain) {
    List<BlockNode> images = chain.images();
    return images.subList(1, images.size());
  }

  private void freeze(String user) throws BlockException {
    if (chain.isPresent()) {
      chain.get().freeze(user);
      frozen = true;
    }
  }

  /** The links may change from here on; nobody uses the filter then any more. Control side. */
  public void unfreeze() {
    if (frozen) {
      chain.ifPresent(BackingChain::unfreeze);
      frozen = false;
    }
  }

  RangeLocks copying() {
    return copying;
  }

  /** Copying changes nothing for anybody, but it writes. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    if (parents().isEmpty()) {
      // It is about to be put before the file, and copies nothing yet.
      return super.childPermissions(child, used, shared);
    }
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    needed.add(Permission.WRITE_UNCHANGED);
    return new ChildPermissions(needed, shared);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    List<BlockNode> nodes = new ArrayList<>(List.of(child()));
    if (copied != null) {
      nodes.addAll(copied);
    }
    BlockLane[] lanes = openLanes(context, nodes);
    List<Layer> layers = copied == null ? null : new ArrayList<>();
    for (int i = 1; i < lanes.length; i++) {
      layers.add(new Layer(lanes[i], nodes.get(i)));
    }
    return new CopyOnReadLane(this, context, lanes[0], layers);
  }

  @Override
  public void close() {
    unfreeze();
    super.close();
  }
}
