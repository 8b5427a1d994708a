// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.chain;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.Permission;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Stands before the top of a commit, and takes from those above what keeps others from writing to
 * the base: they see the same before, meanwhile and afterwards. It also holds the base, on the
 * job's behalf.
 */
final class CommitFilter extends BlockNode {
  private final BlockNode firstTop;
  private BlockEdge top;
  private BlockEdge base;

  /** Whether the job does not write any more. Control side. */
  private boolean stopped;

  CommitFilter(String name, BlockNode top) {
    super(name, "commit_top", top.context());
    this.firstTop = top;
  }

  /** Has whoever uses the top use the filter. */
  void insert(BlockNode baseNode) throws BlockException {
    GraphChange change = new GraphChange();
    top = change.attach(this, "backing", ChildRole.FILTER, firstTop);
    base = change.attach(this, "base", Set.of(ChildRole.DATA), baseNode);
    change.replace(firstTop, this);
    change.run();
  }

  /** The next change of links is the end of the job: the base is not to be written any more. */
  void stop() {
    stopped = true;
  }

  /** The links that the job relies on. */
  List<BlockEdge> links() {
    return List.of(top, base);
  }

  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    return child != base || stopped
        ? new ChildPermissions(Permission.none(), Permission.all())
        : new ChildPermissions(
            EnumSet.of(Permission.WRITE),
            EnumSet.of(Permission.WRITE_UNCHANGED, Permission.RESIZE));
  }

  private BlockNode top() {
    return top == null ? firstTop : top.node();
  }

  @Override
  public long length() {
    return top().length();
  }

  @Override
  public boolean readOnly() {
    return top().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return top().limits();
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return top().openLane(context);
  }

  @Override
  public void close() {
    detachChildren();
  }
}
