// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkdebug;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.driver.blkdebug.DebugRule.Suspend;
import dev.spindle.block.graph.BlkdebugEvent;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.Breakpoints;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.FilterNode;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.RangeLocks;
import java.util.Set;

/** A filter that does to requests what its rules and limits say. */
final class BlkdebugNode extends FilterNode implements Breakpoints {
  static final String CHILD = "image";

  private final BlkdebugOptions options;
  private final DebugRules rules;

  /** Writes share what they write; who reads parts of blocks to write them back has them alone. */
  private final RangeLocks writes = new RangeLocks();

  BlkdebugNode(String name, BlockNode image, BlkdebugOptions options) throws BlockException {
    super(name, "blkdebug", CHILD, image);
    this.options = options;
    this.rules = new DebugRules(options.rules());
    takeHold();
  }

  DebugRules rules() {
    return rules;
  }

  DebugLimits cuts() {
    return options.limits();
  }

  RangeLocks writes() {
    return writes;
  }

  @Override
  public BlockLimits limits() {
    BlockLimits below = super.limits();
    int alignment = Math.max(below.requestAlignment(), (int) options.limits().align());
    return new BlockLimits(alignment, below.memoryAlignment());
  }

  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    ChildPermissions needed = super.childPermissions(child, used, shared);
    Set<Permission> taken = Permission.none();
    taken.addAll(needed.used());
    taken.addAll(options.taken());
    Set<Permission> allowed = Permission.none();
    allowed.addAll(needed.shared());
    allowed.removeAll(options.unshared());
    return new ChildPermissions(taken, allowed);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new BlkdebugLane(this, context, child().openLane(context));
  }

  @Override
  public void breakOn(BlkdebugEvent event, String tag) {
    rules.add(new Suspend(event, tag));
  }

  @Override
  public boolean isSuspended(String tag) {
    return rules.isSuspended(tag);
  }

  @Override
  public void awaitSuspended(String tag) {
    rules.awaitSuspended(tag);
  }

  @Override
  public void resume(String tag) throws BlockException {
    rules.resume(tag);
  }

  @Override
  public void removeBreak(String tag) throws BlockException {
    rules.remove(tag);
  }
}
