// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkverify;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.Permission;
import java.util.Set;

/** Two images that must read the same; what users see is the one under test. */
final class BlkverifyNode extends BlockNode {
  private static final Set<ChildRole> TEST = Set.of(ChildRole.DATA, ChildRole.PRIMARY);
  private static final Set<ChildRole> RAW = Set.of(ChildRole.DATA);

  private final BlockNode firstTest;
  private final BlockEdge test;
  private final BlockEdge raw;

  BlkverifyNode(String name, BlockNode test, BlockNode raw) throws BlockException {
    super(name, "blkverify", test.context());
    this.firstTest = test;
    this.test = attachChild(test, "test", TEST);
    try {
      this.raw = attachChild(raw, "raw", RAW);
    } catch (BlockException | RuntimeException e) {
      detachChildren();
      throw e;
    }
  }

  /** While the constructor attaches the children, there is no link yet. */
  private BlockNode test() {
    return test == null ? firstTest : test.node();
  }

  @Override
  public long length() {
    return test().length();
  }

  @Override
  public boolean readOnly() {
    return test().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return test().limits();
  }

  /** Both see exactly what this node's users do. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    return new ChildPermissions(used, shared);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    return new BlkverifyLane(
        name(), context, test.node().openLane(context), raw.node().openLane(context));
  }

  @Override
  public void close() {
    detachChildren();
  }
}
