// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.job.mirror;

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
 * Stands before the source of a mirror, and sees what is written. It also holds the target, on the
 * job's behalf: a section there thus reaches those who write through the filter.
 */
final class MirrorFilter extends BlockNode {
  private final BlockNode firstSource;
  private final MirrorState state;

  /** Whether the target is what the source stands on. */
  private final boolean commits;

  private BlockEdge source;
  private BlockEdge target;

  MirrorFilter(String name, BlockNode source, MirrorState state, boolean commits) {
    super(name, "mirror_top", source.context());
    this.commits = commits;
    this.firstSource = source;
    this.state = state;
  }

  /** Has whoever uses the source use the filter. */
  void insert(BlockNode targetNode) throws BlockException {
    GraphChange change = new GraphChange();
    source = change.attach(this, "file", ChildRole.FILTER, firstSource);
    target = change.attach(this, "target", Set.of(ChildRole.DATA), targetNode);
    change.replace(firstSource, this);
    change.run();
  }

  /** The links that the job relies on. */
  List<BlockEdge> links() {
    return List.of(source, target);
  }

  private BlockNode source() {
    return source == null ? firstSource : source.node();
  }

  /** Nobody else may rely on a target that lacks something, nor write there. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    if (child != target) {
      ChildPermissions needed = super.childPermissions(child, used, shared);
      return commits ? aboveTarget(needed.used()) : needed;
    }
    if (state.isStopped()) {
      return new ChildPermissions(Permission.none(), Permission.all());
    }
    Set<Permission> others = EnumSet.of(Permission.WRITE_UNCHANGED);
    if (commits) {
      // The job has it grow.
      others.add(Permission.RESIZE);
    }
    return new ChildPermissions(EnumSet.of(Permission.WRITE), others);
  }

  /**
   * All between the filter and the target stands on the target: if somebody counted on it, or did
   * not let others write there, so would all of it.
   */
  private static ChildPermissions aboveTarget(Set<Permission> used) {
    Set<Permission> needed = Permission.none();
    needed.addAll(used);
    needed.remove(Permission.CONSISTENT_READ);
    return new ChildPermissions(needed, Permission.all());
  }

  @Override
  public long length() {
    return source().length();
  }

  @Override
  public boolean readOnly() {
    return source().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return source().limits();
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane[] lanes = openLanes(context, List.of(source.node(), target.node()));
    return new MirrorLane(state, lanes[0], lanes[1]);
  }

  @Override
  public void close() {
    detachChildren();
  }
}
