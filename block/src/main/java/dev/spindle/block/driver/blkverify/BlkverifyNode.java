// SPDX-License-Identifier: Apache-2.0
package dev.spindle.block.driver.blkverify;

import dev.spindle.block.aio.AioContext;
import dev.spindle.block.graph.BlockEdge;
import dev.spindle.block.graph.BlockException;
import dev.spindle.block.graph.BlockGraph;
import dev.spindle.block.graph.BlockLane;
import dev.spindle.block.graph.BlockLimits;
import dev.spindle.block.graph.BlockNode;
import dev.spindle.block.graph.ChildPermissions;
import dev.spindle.block.graph.ChildRole;
import dev.spindle.block.graph.GraphChange;
import dev.spindle.block.graph.OpeningOptions;
import dev.spindle.block.graph.Permission;
import dev.spindle.block.graph.Transaction;
import dev.spindle.block.options.OptionException;
import dev.spindle.block.options.Options;
import java.util.List;
import java.util.Set;

/** Two images that must read the same; what users see is the one under test. */
final class BlkverifyNode extends BlockNode {
  private static final Set<ChildRole> TEST = Set.of(ChildRole.DATA, ChildRole.PRIMARY);
  private static final Set<ChildRole> RAW = Set.of(ChildRole.DATA);

  private final OpeningOptions opening;
  private final BlockNode firstTest;
  private final BlockEdge test;
  private final BlockEdge raw;

  BlkverifyNode(String name, OpeningOptions opening, BlockNode test, BlockNode raw)
      throws BlockException {
    super(name, "blkverify", test.context());
    this.opening = opening;
    this.firstTest = test;
    this.test = attachChild(test, "test", TEST);
    try {
      this.raw = attachChild(raw, "raw", RAW);
    } catch (BlockException | RuntimeException | Error e) {
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
    return opening.readOnly() || test().readOnly();
  }

  @Override
  public BlockLimits limits() {
    return test().limits();
  }

  /** Both see exactly what this node's users do, and stay equally long. */
  @Override
  protected ChildPermissions childPermissions(
      BlockEdge child, Set<Permission> used, Set<Permission> shared) {
    Set<Permission> allowed = Permission.none();
    allowed.addAll(shared);
    allowed.remove(Permission.RESIZE);
    return new ChildPermissions(used, allowed);
  }

  @Override
  protected Transaction.Action prepareReopen(BlockGraph graph, Options options, GraphChange links)
      throws BlockException, OptionException {
    return opening.prepareReopen(this, options);
  }

  @Override
  protected BlockLane makeLane(AioContext context) {
    BlockLane[] lanes = openLanes(context, List.of(test.node(), raw.node()));
    return new BlkverifyLane(name(), context, lanes[0], lanes[1]);
  }

  @Override
  public void close() {
    detachChildren();
  }
}
