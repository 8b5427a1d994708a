// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.cbw;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.FilterNode;
import dev.spindle.block.graph.Permission;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Saves to its target what its file holds, before a write that comes through it destroys that. */
public final class CbwNode extends FilterNode {
  private final SavedState state;
  private final OnCbwError onError;
  private final BlockEdge target;

  /**
   * Makes a filter that nobody uses yet. Control side; waits.
   *
   * @param file what it stands before
   * @param target where old data goes, to the same place; as long as the file
   * @param state what is to be saved
   * @throws BlockException if the others who use the two nodes do not share them so
   */
  public CbwNode(
      String name, BlockNode file, BlockNode target, SavedState state, OnCbwError onError)
      throws BlockException {
    super(name, "copy-before-write", "file", file);
    this.state = state;
    this.onError = onError;
    takeHold();
    try {
      this.target = attachChild(target, "target", Set.of(ChildRole.DATA));
    } catch (BlockException | RuntimeException | Error e) {
      detachChildren();
      throw e;
    }
  }

  /** Whoever writes to the file past the filter would destroy what is not saved. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    if (!child.roles().contains(ChildRole.FILTERED)) {
      return new ChildPermissions(
          EnumSet.of(Permission.WRITE),
          EnumSet.of(Permission.CONSISTENT_READ, Permission.WRITE_UNCHANGED));
    }
    if (parents().isEmpty()) {
      // It is about to be put before the file, and does nothing yet.
      return super.childPermissions(child, used, shared);
    }
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    Set<Permission> allowed = Permission.none();
    allowed.addAll(shared);
    if (used.contains(Permission.WRITE)) {
      needed.add(Permission.CONSISTENT_READ);
    }
    allowed.remove(Permission.WRITE);
    allowed.remove(Permission.RESIZE);
    return new ChildPermissions(needed, allowed);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane[] lanes = openLanes(context, List.of(child(), target.node()));
    return new CbwLane(state, onError, context, lanes[0], lanes[1]);
  }
}
