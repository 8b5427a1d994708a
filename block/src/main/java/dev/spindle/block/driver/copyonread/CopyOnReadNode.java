// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.copyonread;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.copyonread.BackingChain.Layer;
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
import java.util.Set;

/** A filter that writes what is read out of backing files into its own file. */
final class CopyOnReadNode extends FilterNode {
  private final BackingChain chain;

  /** Writes share their range; who copies has it alone, lest old data overwrites new. */
  private final RangeLocks copying = new RangeLocks();

  CopyOnReadNode(String name, BlockNode file, BackingChain chain) throws BlockException {
    super(name, "copy-on-read", "file", file);
    this.chain = chain;
    takeHold();
    chain.freeze(describe());
  }

  RangeLocks copying() {
    return copying;
  }

  /** Copying changes nothing for anybody, but it writes. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    needed.add(Permission.WRITE_UNCHANGED);
    return new ChildPermissions(needed, shared);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    List<BlockNode> copied = chain.layers();
    List<BlockNode> nodes = new ArrayList<>(List.of(child()));
    if (copied != null) {
      nodes.addAll(copied);
    }
    BlockLane[] lanes = openLanes(context, nodes);
    List<Layer> layers = copied == null ? null : new ArrayList<>();
    for (int i = 1; i < lanes.length; i++) {
      layers.add(new Layer(lanes[i], nodes.get(i).length()));
    }
    return new CopyOnReadLane(this, context, lanes[0], layers);
  }

  @Override
  public void close() {
    chain.unfreeze();
    super.close();
  }
}
